"""Reads of this app."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.contrib.auth.models import AbstractUser
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from shared.bulk.access import access_staff
from shared.bulk.audiences import Audience, Listed, parse_audience
from shared.bulk.exceptions import InvalidRequest
from shared.bulk.models import BulkJob, Chunk, Failure, SavedFilter
from shared.bulk.states import ChunkState, JobState

__all__ = [
    "Progress",
    "as_data",
    "count_audience",
    "failures_of",
    "filters_for",
    "jobs_for",
    "parked_chunks_of",
    "progress_of",
]

# A rate over less jumps with every chunk; over more it tells of what was.
_RATE_SECONDS = 10.0


class Progress(NamedTuple):
    """
    How far a job is.

    Attributes:
        state: where it is.
        total: its recipients; exact once planning has ended, before that those planned so far.
        done: delivered, muted, gone and failed together; the rest of the total is outstanding.
        delivered: who has the notification.
        muted: who switched its category off.
        gone: who was not there, or not active, when their turn came.
        failed: whose text could not be made.
        parked_chunks: chunks that raised five times; their recipients are outstanding.
        percent: 0 to 100, cut to one decimal; 100 when nobody is outstanding, and only then.
        rate: recipients per second over the last seconds; None unless it runs.
        eta_seconds: None where there is no rate.
    """

    state: JobState
    total: int
    done: int
    delivered: int
    muted: int
    gone: int
    failed: int
    parked_chunks: int
    percent: float
    rate: float | None
    eta_seconds: float | None

    @property
    def outstanding(self) -> int:
        """Who has yet to be told."""
        return self.total - self.done


def progress_of(job: BulkJob) -> Progress:
    """Return how far a job is: one aggregate over its chunks, some milliseconds for a million."""
    now = timezone.now()
    recently = Q(state=ChunkState.DONE, done_at__gt=now - timedelta(seconds=_RATE_SECONDS))
    sums = Chunk.objects.filter(job=job).aggregate(
        **{name: Sum(name, default=0) for name in ("delivered", "muted", "gone", "failed")},
        recent=Sum("size", filter=recently, default=0),
        parked=Count("pk", filter=Q(state=ChunkState.PARKED)),
    )
    state = JobState(job.state)
    done = sums["delivered"] + sums["muted"] + sums["gone"] + sums["failed"]
    rate = eta = None
    if state is JobState.RUNNING and job.started_at is not None:
        seconds = min(_RATE_SECONDS, max(1.0, (now - job.started_at).total_seconds()))
        rate = round(sums["recent"] / seconds, 1)
        eta = round((job.total - done) / rate, 1) if rate else None
    return Progress(
        state=state,
        total=job.total,
        done=done,
        delivered=sums["delivered"],
        muted=sums["muted"],
        gone=sums["gone"],
        failed=sums["failed"],
        parked_chunks=sums["parked"],
        percent=_percent(done, job.total, state),
        rate=rate,
        eta_seconds=eta,
    )


def as_data(job: BulkJob, progress: Progress | None = None) -> dict[str, Any]:
    """Return what clients see of a job: its frame, which its starter also gets live."""
    progress = progress_of(job) if progress is None else progress
    return {
        "type": "job",
        "id": job.pk,
        "kind": job.kind,
        **progress._asdict(),
        "state": progress.state.value,
    }


def jobs_for(actor: AbstractUser) -> QuerySet[BulkJob]:
    """
    Return all jobs, the newest first.

    Raises:
        NotStaff: the actor may see none.
    """
    access_staff(actor)
    return BulkJob.objects.select_related("created_by").order_by("-id")


def filters_for(actor: AbstractUser) -> QuerySet[SavedFilter]:
    """
    Return the saved filters, by name.

    Raises:
        NotStaff: the actor may see none.
    """
    access_staff(actor)
    return SavedFilter.objects.select_related("created_by").order_by("name")


def failures_of(job: BulkJob) -> QuerySet[Failure]:
    """Return who of a job could not be told, and why, in the order it happened."""
    return Failure.objects.filter(job=job).order_by("id")


def parked_chunks_of(job: BulkJob) -> QuerySet[Chunk]:
    """Return the chunks of a job that raised five times, with what they said last."""
    parked = Chunk.objects.filter(job=job, state=ChunkState.PARKED)
    return parked.defer("user_ids").order_by("number")


def count_audience(audience: Audience | Mapping[str, Any]) -> int:
    """
    Return exactly how many an audience means at this moment.

    Raises:
        InvalidRequest: the audience makes no sense, or is ids, which their job counts.
    """
    meant = parse_audience(audience) if isinstance(audience, Mapping) else audience
    if isinstance(meant, Listed):
        sentence = "Ids are counted as they are added to a draft: make one and read its total."
        raise InvalidRequest("audience", sentence)
    return meant.count(None)


def _percent(done: int, total: int, state: JobState) -> float:
    if total == 0:
        return 100.0 if state is JobState.FINISHED else 0.0
    # Cut, not rounded: 99.96 is not yet everybody.
    return (1000 * done // total) / 10
