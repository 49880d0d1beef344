"""A bulk job of Carillon's: started as the staff page does, watched, and counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from shared.accounts.models import User
from shared.bulk.actions import do_create_job, do_start_job
from shared.bulk.models import BulkJob
from shared.bulk.queries import progress_of
from shared.bulk.states import JobState
from shared.notifications.staff_kinds import StaffMessage

__all__ = ["Outcome", "run"]

# Slower than the tutorial is no result worth waiting for.
SECONDS_PER_RECIPIENT = 1 / 500
SECONDS_TO_START = 60
PROGRESS_SECONDS = 5


@dataclass(frozen=True)
class Outcome:
    """
    What a job has done.

    Attributes:
        began: when it was started, by time.monotonic().
        ended: when it had finished and its rows were counted.
        rows: notifications that it has stored.
        users: different users among those.
        delivered: what the job itself says.
    """

    began: float
    ended: float
    rows: int
    users: int
    delivered: int

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def run(
    database: psycopg.Connection,
    actor: User,
    title: str,
    recipients: int,
    progress: Callable[[int, float], None],
) -> Outcome:
    """
    Tell all users something, and wait until they are told.

    Args:
        database: a connection to count with.
        actor: who starts it, of the staff.
        title: what is told.
        recipients: how many there are; decides how long to wait.
        progress: told how many are done, and after how many seconds.

    Raises:
        RuntimeError: the job did not finish in time.
    """
    context = {"title": title, "body": "The words of a usual notification.", "url": "/rooms/"}
    audience = {"type": "all"}
    began = time.monotonic()
    created = do_create_job(actor, kind=StaffMessage.key, context=context, audience=audience)
    do_start_job(actor, created.job.pk)
    deadline = began + SECONDS_TO_START + recipients * SECONDS_PER_RECIPIENT
    told = began
    while True:
        job = BulkJob.objects.get(pk=created.job.pk)
        if JobState(job.state).is_final:
            break
        now = time.monotonic()
        if now > deadline:
            raise RuntimeError(
                f"The job did not finish in {now - began:.0f} s: {progress_of(job)}."
            )
        if now - told >= PROGRESS_SECONDS:
            told = now
            progress(progress_of(job).done, now - began)
        time.sleep(0.1)
    rows = count(database, "count(*)", job.pk)
    ended = time.monotonic()
    users = count(database, "count(DISTINCT user_id)", job.pk)
    return Outcome(began, ended, rows, users, progress_of(job).delivered)


def count(database: psycopg.Connection, what: str, job_id: int) -> int:
    """Count a job's notifications."""
    query = f"SELECT {what} FROM notifications_notification WHERE job_id = %s"
    row = database.execute(query, [job_id]).fetchone()
    assert row is not None
    return int(row[0])
