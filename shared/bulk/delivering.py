"""
Delivering: one chunk, one transaction. Notifications, publications and the chunk's outcome are
committed together, so a chunk is done or was never begun, whoever is killed when.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from shared.bulk.models import BulkJob, Chunk, Failure
from shared.bulk.states import ChunkState
from shared.notifications.delivery import ChunkOutcome, deliver_chunk
from shared.notifications.kinds import kind_named
from shared.telemetry import metrics

__all__ = ["CHUNK_SECONDS", "MAX_ATTEMPTS", "do_deliver_chunk"]

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
# After so many seconds a chunk asks the database for nothing more; a statement in hand may take as
# long as the server lets it. Together it is less than the time after which Celery kills the task.
CHUNK_SECONDS = 10.0
_ERROR_CHARACTERS = 500
_BUSY_SECONDS = 1.0
# PostgreSQL's codes for a deadlock, a failed serialization and a lock that took too long: others
# are at work, and nothing is wrong with the chunk.
_BUSY = {"40P01", "40001", "55P03"}
# Its code for a transaction in which nothing was asked for ten seconds: rendering takes for ever.
_TOO_SLOW = "25P03"


class Overdue(Exception):
    """A chunk that takes longer than one may."""


class _TooSlow(Exception):
    """A chunk for which so much was computed that the server has hung up."""

    def __init__(self, chunk_id: int, error: Exception) -> None:
        self.chunk_id = chunk_id
        self.error = error


def do_deliver_chunk(job: BulkJob) -> bool:
    """
    Deliver the job's next chunk that is due and in nobody's hands; say whether there was one.

    A chunk that raises is due again after 2, 4, 8 and 16 seconds, and parked at the fifth time.

    Raises:
        OperationalError, InterfaceError: the database is away; nothing happened.
    """
    try:
        return _deliver_next(job)
    except _TooSlow as slow:
        # The server has ended our transaction, so the blame needs one of its own.
        _blame_slow(slow)
        return True


def _deliver_next(job: BulkJob) -> bool:
    started = time.monotonic()
    with transaction.atomic():
        due = Chunk.objects.filter(job=job, state=ChunkState.PENDING, due_at__lte=timezone.now())
        locked = due.select_for_update(skip_locked=True, no_key=True)
        chunk = locked.order_by("number").first()
        if chunk is None:
            return False
        outcome = _deliver(job, chunk)
        chunk.save(
            update_fields=[
                *("state", "attempts", "error", "due_at", "done_at"),
                *("delivered", "muted", "gone", "failed"),
            ]
        )
    metrics.FANOUT_CHUNK_DURATION.observe(time.monotonic() - started)
    if outcome is not None:
        _count(outcome)
    else:
        _report(chunk)
    return True


def _deliver(job: BulkJob, chunk: Chunk) -> ChunkOutcome | None:
    """Deliver within a savepoint, so that what raises is undone while the chunk stays ours."""
    try:
        with transaction.atomic(), _within(CHUNK_SECONDS):
            outcome = deliver_chunk(
                kind_named(job.kind), chunk.user_ids, job.context, job_id=job.pk
            )
            Failure.objects.bulk_create(
                Failure(job=job, chunk=chunk, user_id=user_id, reason=reason)
                for user_id, reason in outcome.failed
            )
    except Exception as error:
        state = _sqlstate(error)
        if state == _TOO_SLOW:
            raise _TooSlow(chunk.pk, error) from error
        if _is_away(error, state):
            raise
        _blame(chunk, error, busy=state in _BUSY)
        return None
    chunk.state, chunk.error, chunk.done_at = ChunkState.DONE, "", timezone.now()
    chunk.delivered, chunk.muted, chunk.gone = outcome.delivered, outcome.muted, outcome.gone
    chunk.failed = len(outcome.failed)
    assert chunk.delivered + chunk.muted + chunk.gone + chunk.failed == chunk.size, (
        "every recipient of a chunk has one outcome"
    )
    return outcome


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Refuse statements that come too late: a task that is killed for its time blames no chunk."""
    until = time.monotonic() + seconds

    def check(execute: Callable[..., Any], *statement: Any) -> Any:
        if time.monotonic() > until:
            raise Overdue(f"it took longer than {seconds:g} s")
        return execute(*statement)

    with connection.execute_wrapper(check):
        yield


def _blame(chunk: Chunk, error: Exception, *, busy: bool) -> None:
    if busy:
        metrics.DEADLOCK_RETRIES.inc()
        chunk.due_at = timezone.now() + timedelta(seconds=_BUSY_SECONDS)
        return
    chunk.attempts += 1
    # PostgreSQL keeps no NUL.
    text = f"{type(error).__name__}: {error}".replace("\0", "")
    chunk.error = " ".join(text.split())[:_ERROR_CHARACTERS]
    chunk.due_at = timezone.now() + timedelta(seconds=2**chunk.attempts)
    if chunk.attempts >= MAX_ATTEMPTS:
        chunk.state = ChunkState.PARKED


def _blame_slow(slow: _TooSlow) -> None:
    with transaction.atomic():
        # Where another worker has it by now, it is that one who finds out.
        locked = Chunk.objects.select_for_update(skip_locked=True, no_key=True)
        chunk = locked.filter(pk=slow.chunk_id, state=ChunkState.PENDING).first()
        if chunk is None:
            return
        _blame(chunk, slow.error, busy=False)
        chunk.save(update_fields=["state", "attempts", "error", "due_at"])
    _report(chunk)


def _report(chunk: Chunk) -> None:
    # Once, and only when it is true: the transaction is committed.
    if chunk.state == ChunkState.PARKED:
        metrics.FANOUT_CHUNKS_PARKED.inc()
        logger.error(
            "Chunk %d of job %d is parked after %d errors: %s",
            *(chunk.number, chunk.job_id, chunk.attempts, chunk.error),
        )


def _is_away(error: Exception, state: str | None) -> bool:
    """Say whether it is the database that has gone, which is no fault of the chunk."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    # No code: no server has answered. 08 and 57P: it ends, or the connection does. 53: it is full.
    return state is None or state[:2] in {"08", "53"} or state.startswith("57P")


def _sqlstate(error: Exception) -> str | None:
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state


def _count(outcome: ChunkOutcome) -> None:
    counts = {**outcome._asdict(), "failed": len(outcome.failed)}
    for result, count in counts.items():
        metrics.FANOUT_RECIPIENTS.labels(result=result).inc(count)
        if result != "gone":
            metrics.NOTIFICATIONS_CREATED.labels(result=result).inc(count)
