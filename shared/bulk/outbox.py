"""
The outbox: a job's own row says that there is work, and messages only say it sooner.

Work is done in lanes. A lane is a message that comes back: a worker takes it, delivers for some
seconds and sends it again. Each has a token, which stands in the job's row and is spent once: when
a message comes twice, both work, the first to end sends itself again and the other does not. So
lost messages slow a job down, doubled ones do not, and `do_sweep` finds the jobs that stand still.
It cannot know whether their messages are lost or wait behind other jobs, so it sends them again as
they were: what waits keeps its place.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from shared import celery
from shared.bulk.models import BulkJob, Chunk
from shared.bulk.states import ChunkState, JobState

__all__ = [
    "DRAIN",
    "LANES",
    "Swept",
    "do_sweep",
    "due_jobs",
    "hand_over",
    "open_lanes",
    "open_more_lanes",
]

# The task's name; services.worker defines it.
DRAIN = "bulk.drain"
# How many workers one job may keep busy; the bulk worker has two.
LANES = 2
STALE_SECONDS = 15.0
# A message that waited longer is not worth running: its job has got a new one, or will.
_EXPIRES_SECONDS = 60.0


class Swept(NamedTuple):
    """
    What a sweep found.

    Attributes:
        jobs: how many there are in each state that workers and people wait for.
        stale: jobs with work to do that have not moved for 15 s.
        oldest_seconds: since when the stalest did not move; 0 without one.
        enqueued: jobs that were handed to the workers again because they were stale.
        pending: recipients of jobs under way who have not been told yet.
    """

    jobs: dict[JobState, int]
    stale: int
    oldest_seconds: float
    enqueued: int
    pending: int


def open_lanes(job: BulkJob, count: int = LANES) -> None:
    """
    Hand a job to the workers after commit; the caller holds the job's row and saves it.

    Lanes from before are closed: their messages do nothing when they come.
    """
    job.lanes = []
    open_more_lanes(job, count)


def open_more_lanes(job: BulkJob, count: int = LANES) -> None:
    """Do the same with lanes beside those that the job has, until there are so many."""
    fresh = [secrets.token_hex(4) for _ in range(count - len(job.lanes))]
    job.lanes = [*job.lanes, *fresh]
    job.enqueued_at = timezone.now()
    for token in fresh:
        _send_on_commit(job.pk, token)


def hand_over(job: BulkJob, token: str) -> None:
    """Send a lane on after commit, with a fresh token; the caller holds the job's row."""
    if token not in job.lanes:
        return
    fresh = secrets.token_hex(4)
    job.lanes = [fresh if each == token else each for each in job.lanes]
    job.save(update_fields=["lanes"])
    _send_on_commit(job.pk, fresh)


def due_jobs() -> QuerySet[BulkJob]:
    """Return the jobs that a worker could go on with at this moment, the oldest first."""
    pending = Chunk.objects.filter(job=OuterRef("pk"), state=ChunkState.PENDING)
    due = pending.filter(due_at__lte=timezone.now())
    # Nothing pending is work, too: somebody has to say that it has finished.
    workable = Q(state=JobState.PLANNING) | Exists(due) | ~Exists(pending)
    moving = [state.value for state in JobState if state.is_moving]
    return BulkJob.objects.filter(workable, state__in=moving).order_by("id")


def do_sweep() -> Swept:
    """Hand jobs to the workers again that have work to do and stand still."""
    now = timezone.now()
    ages, enqueued = [], 0
    still = [(_seconds_still(job, now), job) for job in due_jobs()]
    # Whoever has waited longest comes first: of too many messages the last ones expire.
    for seconds, job in sorted(still, key=itemgetter(0), reverse=True):
        is_stale = seconds >= STALE_SECONDS
        if is_stale:
            ages.append(seconds)
        # Without lanes nothing was lost: they ended because what was left had to wait a while.
        if (is_stale or not job.lanes) and _enqueue_again(job.pk):
            enqueued += is_stale
    return Swept(
        jobs=_count_unfinished(),
        stale=len(ages),
        oldest_seconds=max(ages, default=0.0),
        enqueued=enqueued,
        pending=_count_pending(),
    )


def _count_unfinished() -> dict[JobState, int]:
    unfinished = [state for state in JobState if not state.is_final]
    jobs = BulkJob.objects.filter(state__in=unfinished).order_by()
    counts = dict(jobs.values_list("state").annotate(Count("pk")))
    return {state: counts.get(state, 0) for state in unfinished}


def _count_pending() -> int:
    moving = [state.value for state in JobState if state.is_moving]
    chunks = Chunk.objects.filter(state=ChunkState.PENDING, job__state__in=moving).order_by()
    return chunks.aggregate(size=Sum("size"))["size"] or 0


def _enqueue_again(job_id: int) -> bool:
    with transaction.atomic():
        # Whoever holds the row moves the job at this very moment.
        jobs = BulkJob.objects.select_for_update(skip_locked=True, no_key=True)
        job = jobs.filter(pk=job_id).first()
        if job is None or not JobState(job.state).is_moving:
            return False
        now = timezone.now()
        waits = job.enqueued_at is not None and now - job.enqueued_at < timedelta(
            seconds=STALE_SECONDS
        )
        if job.lanes and (waits or _seconds_still(job, now) < STALE_SECONDS):
            return False
        for token in job.lanes:
            _send_on_commit(job.pk, token)
        open_more_lanes(job)
        job.save(update_fields=["lanes", "enqueued_at"])
    return True


def _seconds_still(job: BulkJob, now: datetime) -> float:
    return (now - (job.moved_at or job.started_at or job.created_at)).total_seconds()


def _send_on_commit(job_id: int, token: str) -> None:
    send = partial(celery.send, DRAIN, job_id, token, expires=_EXPIRES_SECONDS)
    # robust: a broker that is away must not turn a committed write into an error.
    transaction.on_commit(send, robust=True)
