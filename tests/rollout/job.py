"""A bulk job that is under way while the processes that do it are replaced."""

from __future__ import annotations

import time

import psycopg

from tests.sdk.trials.people import manage
from tests.servers import RunningStack

__all__ = ["Job", "add_people"]

# Slower than this is a job that stands still.
SECONDS_PER_RECIPIENT = 1 / 500
SECONDS_TO_START = 60.0

ADD = """
import psycopg
from tests.load.people import add_users
with psycopg.connect("{url}", autocommit=True) as database:
    add_users(database, {count})
"""
START = """
from shared.accounts.models import User
from shared.bulk.actions import do_create_job, do_start_job
from shared.notifications.staff_kinds import StaffMessage
actor = User.objects.get(username="admin")
words = {"title": "A new version", "body": "You may have seen a pause.", "url": "/rooms/"}
job = do_create_job(actor, kind=StaffMessage.key, context=words, audience={"type": "all"}).job
do_start_job(actor, job.pk)
print(job.pk)
"""
STATE = "SELECT state FROM bulk_bulkjob WHERE id = %s"
ROWS = "SELECT count(*), count(DISTINCT user_id) FROM notifications_notification WHERE job_id = %s"
PEOPLE = "SELECT count(*) FROM accounts_user WHERE is_active"


def add_people(stack: RunningStack, count: int) -> None:
    """Add users who never come, for a job to tell."""
    manage(stack, ADD.format(url=stack.database_url, count=count))


class Job:
    """A job that tells everybody something."""

    def __init__(self, stack: RunningStack) -> None:
        """Start it."""
        self._id = int(manage(stack, START))
        self._database = psycopg.connect(stack.database_url, autocommit=True)
        self.recipients = self._numbers(PEOPLE)[0]

    @property
    def is_over(self) -> bool:
        row = self._database.execute(STATE, [self._id]).fetchone()
        assert row is not None, "jobs are not removed so soon"
        return row[0] in {"finished", "cancelled"}

    @property
    def told(self) -> int:
        """How many it has told."""
        return self._numbers(ROWS, self._id)[0]

    def wait_until_begun(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.told and time.monotonic() < deadline:
            time.sleep(0.05)

    def wait_until_over(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START + self.recipients * SECONDS_PER_RECIPIENT
        while not self.is_over and time.monotonic() < deadline:
            time.sleep(0.2)

    def mistakes(self) -> int:
        """Count those who were not told, and what was told twice."""
        rows, users = self._numbers(ROWS, self._id)
        return (rows - users) + abs(self.recipients - users)

    def close(self) -> None:
        self._database.close()

    def _numbers(self, query: str, *parameters: int) -> tuple[int, ...]:
        row = self._database.execute(query, parameters).fetchone()
        assert row is not None
        return tuple(row)
