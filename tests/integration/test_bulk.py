"""Bulk jobs on the real stack: everything they need is killed, and everybody is told once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from celery import Celery

from deploy.stack.processes import family, identify
from tests.client import ChatClient, Session, open_notifications
from tests.integration.faults import metric
from tests.servers import RunningStack

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

RECIPIENTS = 20_000
SOCKETS = 200

PEOPLE = """
import json, datetime
from shared.accounts.models import User
from tests.load.people import sign_in
joined = datetime.datetime({year}, 1, 1, tzinfo=datetime.UTC)
users = User.objects.bulk_create(
    [User(username=f"reader-{year}-{{n}}", date_joined=joined) for n in range({count})],
    batch_size=5_000,
)
print(json.dumps(sign_in([user.pk for user in users[:: {count} // {sockets}]])))
"""

# Two jobs and four authors with the same followers, whose ids both take in any order.
OPPOSITE = """
import json, threading
from django.db import connection
from shared.accounts.models import Follow, User
from shared.bulk.actions import do_create_job, do_start_job
from shared.posts.actions import do_create_post
admin = User.objects.get(username="admin")
readers = list(User.objects.filter(username__startswith="reader-{year}-"))
authors = User.objects.bulk_create([User(username=f"author-{{n}}") for n in range(4)])
Follow.objects.bulk_create(
    [Follow(follower=reader, followed=author) for author in authors for reader in readers[::-1]]
)
errors, posts = [], []
def write(author):
    try:
        for number in range(5):
            posts.append(do_create_post(author, f"post {{number}}", "").pk)
    except Exception as error:
        errors.append(f"{{type(error).__name__}}: {{error}}")
    finally:
        connection.close()
threads = [threading.Thread(target=write, args=(author,)) for author in authors]
audience = {{"type": "criteria", "joined_after": "{year}-01-01", "joined_before": "{year}-01-02"}}
jobs = []
for name in ("one", "two"):
    context = {{"title": f"job {{name}}", "body": "", "url": ""}}
    job = do_create_job(
        admin, kind="notifications.message", context=context, audience=audience
    ).job
    jobs.append(do_start_job(admin, job.pk).pk)
# The pool has four connections, which the threads need.
connection.close()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps({{"jobs": jobs, "posts": posts, "errors": errors}}))
"""


def shell(stack: RunningStack, code: str) -> Any:
    """Run code in the web tier's environment; return the JSON that it prints."""
    return json.loads(stack.manage("shell", "--verbosity", "0", "--command", code))


class Staff:
    """The admin at the API, and what the database says of a job."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.session = Session(stack.url, "admin")
        self.database = psycopg.connect(stack.database_url, autocommit=True)
        self.celery = Celery(broker=stack.broker_urls["web"], set_as_current=False)
        self.job = 0

    def call(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        token = next(v for n, v in self.session.http.cookies.items() if "csrf" in n)
        headers = {"X-CSRFToken": token, "Origin": self.session.url}
        answer = self.session.http.post(f"/api/v1/bulk-jobs{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer

    def create(self, title: str, audience: dict[str, Any]) -> int:
        body = {"kind": "notifications.message", "context": {"title": title}, "audience": audience}
        self.job = self.call("", body).json()["id"]
        return self.job

    def step(self, name: str) -> None:
        self.call(f"/{self.job}/{name}")

    def value(self, query: str) -> Any:
        row = self.database.execute(query, {"job": self.job}).fetchone()
        assert row is not None
        return row[0]

    @property
    def done(self) -> int:
        return int(
            self.value(
                "SELECT coalesce(sum(delivered + muted + gone + failed), 0)"
                " FROM bulk_chunk WHERE job_id = %(job)s"
            )
        )

    async def wait_for(self, count: int, within: float = 60) -> None:
        deadline = time.monotonic() + within
        while (done := self.done) < count:
            assert time.monotonic() < deadline, f"{done} of {count} came"
            await asyncio.sleep(0.01)

    def enqueue_twice(self) -> None:
        """Send what its lanes have sent once more."""
        for token in self.value("SELECT lanes FROM bulk_bulkjob WHERE id = %(job)s"):
            self.celery.send_task(
                "bulk.drain",
                args=[self.job, token],
                exchange="carillon.tasks",
                routing_key="bulk",
                retry=False,
            )

    def close(self) -> None:
        self.database.close()
        self.celery.close()


def kill_child(stack: RunningStack) -> None:
    """End one of the two processes in which the bulk worker runs tasks."""
    main = identify(stack.server("bulk").pid or 0)
    assert main is not None, "the bulk worker runs"
    pool = [
        each.pid
        for each in family(main)
        if each.pid != main.pid and "exporter" not in command(each.pid)
    ]
    assert pool, "the bulk worker has children"
    os.kill(pool[0], signal.SIGKILL)


def command(pid: int) -> str:
    with open(f"/proc/{pid}/cmdline") as file:
        return file.read()


async def kill_main(stack: RunningStack) -> None:
    bulk = stack.server("bulk")
    await asyncio.to_thread(bulk.kill)
    await asyncio.to_thread(bulk.start)


@contextlib.asynccontextmanager
async def listening(stack: RunningStack, cookies: list[str]) -> AsyncIterator[list[ChatClient]]:
    """Connect each reader, half of them to each of the two gateways."""
    clients = []
    async with contextlib.AsyncExitStack() as exits:
        for number, cookie in enumerate(cookies):
            url = stack.gateway_url(1 + number % 2).replace("http", "ws", 1)
            client = ChatClient(f"{url}/ws/notifications/", cookie, stack.url)
            clients.append(await exits.enter_async_context(client))
        yield clients


async def test_everybody_is_told_once_whatever_dies(stack: RunningStack) -> None:
    """
    20,000 recipients, 200 of them connected; killed five times, enqueued twice, paused once, and
    resumed while RabbitMQ is away: one row each, one frame each, a bar that only rises.
    """
    code = PEOPLE.format(year=1999, count=RECIPIENTS, sockets=SOCKETS)
    cookies = await asyncio.to_thread(shell, stack, code)
    assert len(cookies) == SOCKETS
    staff = Staff(stack)
    starter = open_notifications(staff.session, stack.gateway_url(1))
    async with starter, listening(stack, cookies) as readers:
        audience = {
            "type": "criteria",
            "joined_after": "1999-01-01",
            "joined_before": "1999-01-02",
        }
        assert staff.call("/count", {"audience": audience}).json()["count"] == RECIPIENTS
        staff.create("To all readers", audience)
        began = time.monotonic()
        staff.step("start")
        await staff.wait_for(500)
        kill_child(stack)
        await staff.wait_for(1_500)
        await kill_main(stack)
        staff.enqueue_twice()
        await staff.wait_for(3_000)
        kill_child(stack)
        await staff.wait_for(4_000)
        staff.step("pause")
        await asyncio.to_thread(stack.stop_rabbitmq)
        paused = staff.done
        asked = time.monotonic()
        staff.step("resume")
        assert time.monotonic() - asked < 5, "a broker that is away holds up nobody"
        assert paused < RECIPIENTS
        await asyncio.to_thread(stack.start_rabbitmq)
        await staff.wait_for(paused + 1_000)
        kill_child(stack)
        await staff.wait_for(paused + 3_000)
        assert staff.done < RECIPIENTS, "all was done before the last kill"
        kill_child(stack)
        await staff.wait_for(RECIPIENTS)
        await starter.wait_for(lambda c: c.of_type("job")[-1]["state"] == "finished")
        print(f"{RECIPIENTS:,} recipients in {time.monotonic() - began:.1f} s, with all faults")
        for reader in readers:
            await reader.wait_for(lambda c: c.of_type("notification"))
        # Had anything come twice, it would have come before this.
        staff.create("And one more", audience)
        staff.step("start")
        for reader in readers:
            await reader.wait_for(
                lambda c: c.of_type("notification")[-1]["title"] == "And one more"
            )
        for reader in readers:
            told = reader.of_type("notification")
            assert [frame["title"] for frame in told] == ["To all readers", "And one more"]
            assert told[1]["offset"] == told[0]["offset"] + 1
            assert [frame["unread"] for frame in told] == [1, 2]
        staff.job -= 1
        assert_told_once(staff)
        assert_bar(starter, staff.job)
    staff.close()
    # What the resumed job was sent with was lost: beat has found it.
    assert metric(stack, "worker", "carillon_jobs_reenqueued_total") >= 1
    deadline = time.monotonic() + 20
    while metric(stack, "worker", "carillon_jobs_stale") > 0:
        assert time.monotonic() < deadline, "a job is stale that has ended"
        await asyncio.sleep(0.2)
    assert metric(stack, "bulk", "carillon_task_queue_wait_seconds_count", queue="bulk") > 0
    # Tasks of killed processes are over, although nobody has counted them down.
    while metric(stack, "bulk", "carillon_tasks_in_progress") > 0:
        assert time.monotonic() < deadline, "a task is in progress that was killed"
        await asyncio.sleep(0.2)


def assert_told_once(staff: Staff) -> None:
    rows = "SELECT count({}) FROM notifications_notification WHERE job_id = %(job)s"
    assert staff.value(rows.format("*")) == RECIPIENTS
    assert staff.value(rows.format("DISTINCT user_id")) == RECIPIENTS
    assert staff.value("SELECT state FROM bulk_bulkjob WHERE id = %(job)s") == "finished"


def assert_bar(starter: ChatClient, job: int) -> None:
    frames = [frame for frame in starter.of_type("job") if frame["id"] == job]
    offsets = [frame["offset"] for frame in frames]
    assert offsets == sorted(set(offsets))
    percents = [frame["percent"] for frame in frames]
    assert percents == sorted(percents)
    last = frames[-1]
    assert (last["state"], last["percent"], last["total"]) == ("finished", 100.0, RECIPIENTS)
    outcomes = [last[name] for name in ("delivered", "muted", "gone", "failed")]
    assert sum(outcomes) == last["done"] == RECIPIENTS


async def test_posts_and_jobs_in_opposite_order(stack: RunningStack) -> None:
    """Authors with shared followers post while two jobs tell the same: nobody sees a deadlock."""
    code = PEOPLE.format(year=1998, count=900, sockets=2)
    await asyncio.to_thread(shell, stack, code)
    result = await asyncio.to_thread(shell, stack, OPPOSITE.format(year=1998))
    assert result["errors"] == []
    assert len(result["posts"]) == 20
    staff = Staff(stack)
    for staff.job in result["jobs"]:
        await staff.wait_for(900)
    rows = """
        SELECT count(*) FROM notifications_notification
        JOIN accounts_user ON accounts_user.id = user_id
        WHERE kind = 'posts.new_post' AND username LIKE 'reader-1998-%%'
    """
    assert staff.value(rows) == 20 * 900
    parked = "SELECT count(*) FROM bulk_chunk WHERE attempts > 0 AND job_id = %(job)s"
    assert staff.value(parked) == 0
    staff.close()
