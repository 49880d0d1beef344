"""Lanes that work on one job at once, each with a database connection of its own."""

from __future__ import annotations

import contextlib
import json
import select
from collections.abc import Callable
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from shared.accounts.models import User
from shared.bulk import actions, delivering, lanes
from shared.bulk.actions import do_cancel_job, do_create_job, do_start_job
from shared.bulk.lanes import drain
from shared.bulk.models import BulkJob, Chunk
from shared.bulk.planning import do_plan_page
from shared.bulk.queries import progress_of
from shared.bulk.states import ChunkState, JobState, WrongState
from shared.notifications.models import Notification
from shared.notifications.notify import notify
from shared.realtime.history import history
from tests.shared.bulk.conftest import CONTEXT, MakeJob, MakePeople
from tests.shared.threads import run_together
from tests.team.kinds import PollClosed, Salutation

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_chunks", "on_postgresql"),
    pytest.mark.servers,
]


def finish(job_id: int) -> bool:
    """Drain a job in one turn, however busy the machine is."""
    return drain(job_id, seconds=60)


def frames(user: User) -> list[dict[str, Any]]:
    found = [json.loads(each.data) for each in history(f"user:{user.pk}", limit=300).publications]
    return [frame for frame in found if frame["type"] == "job"]


def test_twins_share_the_chunks(
    staff: User, people: MakePeople, draft: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four lanes plan and deliver at once: each is told once and the bar never falls."""
    # Every chunk is told of, not one in a second.
    for module in (actions, lanes):
        monkeypatch.setattr(module, "is_due", lambda job: True)
    people(499)
    job = do_start_job(staff, draft().pk)
    run_together(*[lambda: finish(job.pk) for _ in range(4)])
    found = progress_of(BulkJob.objects.get())
    assert (found.state, found.total, found.delivered) == (JobState.FINISHED, 500, 500)
    assert Notification.objects.count() == 500
    assert Chunk.objects.count() == 100
    heard = frames(staff)
    assert len(heard) > 10
    done = [frame["done"] for frame in heard]
    assert done == sorted(done)
    assert (heard[-1]["state"], heard[-1]["percent"]) == ("finished", 100.0)
    assert [frame["state"] for frame in heard].count("finished") == 1


def test_last_two_chunks_at_once(
    staff: User, people: MakePeople, running: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two lanes that commit the last chunks together, one finishes the job."""
    people(9)
    job = running()
    both = Barrier(2)
    deliver = lanes.do_deliver_chunk

    def together(job: BulkJob) -> bool:
        claimed = deliver(job)
        if claimed:
            both.wait(10)
        return claimed

    monkeypatch.setattr(lanes, "do_deliver_chunk", together)
    run_together(*[lambda: finish(job.pk) for _ in range(2)])
    assert BulkJob.objects.get().state == JobState.FINISHED
    assert frames(staff)[-1]["percent"] == 100.0


def test_cancel_at_any_moment(staff: User, people: MakePeople, draft: MakeJob) -> None:
    """The counts add up wherever the cancel comes in between."""
    people(60)
    for _ in range(5):
        job = do_start_job(staff, draft().pk)

        def cancel(job_id: int = job.pk) -> None:
            # It may have finished before.
            with contextlib.suppress(WrongState):
                do_cancel_job(staff, job_id)

        def work(job_id: int = job.pk) -> None:
            finish(job_id)

        run_together(work, work, cancel)
        found = progress_of(BulkJob.objects.get(pk=job.pk))
        assert found.state.is_final
        assert found.done == Notification.objects.filter(job_id=job.pk).count()
        pending = Chunk.objects.filter(job=job, state=ChunkState.PENDING)
        assert found.outstanding == sum(pending.values_list("size", flat=True))


def test_same_request_at_once(staff: User) -> None:
    """Sent on two connections at once, one key makes one job."""

    def create() -> Any:
        return do_create_job(
            staff,
            kind=PollClosed.key,
            context=CONTEXT,
            audience={"type": "all"},
            idempotency_key="k",
        )

    made = run_together(*[create for _ in range(4)])
    assert sorted(each.repeated for each in made) == [False, True, True, True]
    assert len({each.job.pk for each in made}) == 1


def test_opposite_orders_wait_for_each_other(
    staff: User, people: MakePeople, draft: MakeJob
) -> None:
    """Two jobs and people who tell the same users in reverse: no deadlock reaches anybody."""
    users = people(80)
    jobs = [do_start_job(staff, draft().pk) for _ in range(2)]
    for job in jobs:
        while BulkJob.objects.get(pk=job.pk).state == JobState.PLANNING:
            do_plan_page(job.pk)

    def tell() -> None:
        for number in range(10):
            notify(users[::-1] if number % 2 else users, Salutation)

    def work(job: BulkJob) -> Callable[[], bool]:
        return lambda: finish(job.pk)

    run_together(*[work(job) for job in jobs], tell, tell)
    assert not Chunk.objects.exclude(state=ChunkState.DONE).exists()
    assert Notification.objects.count() == 2 * 81 + 2 * 10 * 80


def test_chunk_that_computes_for_too_long(
    people: MakePeople, running: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a transaction that stands still: that counts against the chunk."""
    people(2)
    job = running()

    def dawdle(*_: Any, **__: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            select.select([connection.connection], [], [], 10)
            cursor.execute("SELECT 1")

    monkeypatch.setattr(delivering, "deliver_chunk", dawdle)
    drain(job.pk)
    chunk = Chunk.objects.get()
    assert (chunk.state, chunk.attempts) == (ChunkState.PENDING, 1)
    assert "idle-in-transaction timeout" in chunk.error


def test_server_that_ends_the_connection(
    people: MakePeople, running: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the chunk, which is delivered on the next connection."""
    people(2)
    job = running()

    def end(*_: Any, **__: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(delivering, "deliver_chunk", end)
        assert not drain(job.pk)
    assert Chunk.objects.get().attempts == 0
    drain(job.pk)
    assert Notification.objects.count() == 3
