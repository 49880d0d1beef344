"""
What people and code do with jobs. What workers do is in `planning`, `delivering` and `lanes`.

Whoever changes a job holds its row until the end, and tells its starter last: the sums are taken
when the row is locked, so of two frames the later one has seen all that the earlier one saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils import timezone

from shared.accounts.models import User
from shared.bulk import outbox
from shared.bulk.access import access_staff, locked_job
from shared.bulk.audiences import Audience, Listed, parse_audience
from shared.bulk.chunks import split_off_failed
from shared.bulk.content import check_context, check_size, offered_kind
from shared.bulk.drafts import (
    MAX_RECIPIENTS,
    Added,
    Created,
    do_add_recipients,
    do_create_job,
    do_edit_draft,
)
from shared.bulk.exceptions import EmptyAudience, InvalidRequest, NothingToRetry, UnknownJob
from shared.bulk.filters import do_change_filter, do_delete_filter, do_save_filter
from shared.bulk.models import BulkJob, Chunk, Recipient
from shared.bulk.preview import check_speakable
from shared.bulk.queries import as_data
from shared.bulk.states import ChunkState, JobState, Transition, next_state
from shared.notifications.kinds import Kind
from shared.notifications.namespaces import user_channel
from shared.realtime.publish import publish
from shared.realtime.transactions import retry_on_deadlock

__all__ = [
    "MAX_RECIPIENTS",
    "Added",
    "Created",
    "do_add_recipients",
    "do_cancel_job",
    "do_change_filter",
    "do_create_job",
    "do_delete_filter",
    "do_edit_draft",
    "do_fan_out",
    "do_pause_job",
    "do_resume_job",
    "do_retry_job",
    "do_save_filter",
    "do_start_job",
    "do_tell",
    "is_due",
    "tell",
]

_TELL_EVERY = timedelta(seconds=1)


@retry_on_deadlock
def do_start_job(actor: AbstractUser, job_id: int) -> BulkJob:
    """
    Start a draft: workers plan its chunks, then deliver them.

    Raises:
        NotStaff, UnknownJob, WrongState: it cannot be started by this actor, from where it is.
        EmptyAudience, Unspeakable: nobody would be told; it stays a draft.
        InvalidRequest: what its audience names is not there any more, or it has no kind that is
            offered.

    Returns:
        The job; its total is that of this moment, while its row has those planned so far.
    """
    with _moving(actor, job_id, Transition.START) as job:
        # A draft may have no kind and no text yet, and a kind may have gone since.
        kind = offered_kind(job.kind)
        check_context(kind, job.context)
        check_speakable(kind, job.context)
        audience = parse_audience(job.audience, stored=True).pinned()
        count = audience.count(job.pk)
        if not count:
            raise EmptyAudience
        job.audience = audience.as_data()
        _begin(job)
    job.total = count
    return job


@retry_on_deadlock
def do_pause_job(actor: AbstractUser, job_id: int) -> BulkJob:
    """
    Let workers finish the chunks in their hands and begin no other.

    Raises:
        NotStaff, UnknownJob, WrongState: it cannot be paused by this actor, from where it is.
    """
    with _moving(actor, job_id, Transition.PAUSE) as job:
        job.lanes = []
    return job


@retry_on_deadlock
def do_resume_job(actor: AbstractUser, job_id: int) -> BulkJob:
    """
    Let a paused job go on.

    Raises:
        NotStaff, UnknownJob, WrongState: it cannot be resumed by this actor, from where it is.
    """
    with _moving(actor, job_id, Transition.RESUME) as job:
        outbox.open_lanes(job)
    return job


@retry_on_deadlock
def do_cancel_job(actor: AbstractUser, job_id: int) -> BulkJob:
    """
    End a job. What is delivered stays, chunks in workers' hands may still be, the rest never is.

    Raises:
        NotStaff, UnknownJob, WrongState: it cannot be cancelled by this actor, from where it is.
    """
    with _moving(actor, job_id, Transition.CANCEL) as job:
        job.lanes = []
        job.finished_at = timezone.now()
        Recipient.objects.filter(job_id=job.pk).delete()
    return job


@retry_on_deadlock
def do_retry_job(actor: AbstractUser, job_id: int) -> BulkJob:
    """
    Try again who could not be told: parked chunks and failed recipients. Both are outstanding then.

    A recipient stands in one chunk always: the failed ones leave theirs for new ones, so the total
    stays and the sums go on adding up. This is the one step at which `done` falls.

    Raises:
        NotStaff, UnknownJob, WrongState: it cannot be retried by this actor, from where it is.
        NothingToRetry: nobody failed and nothing is parked.
    """
    with _moving(actor, job_id, Transition.RETRY) as job:
        parked = Chunk.objects.filter(job=job, state=ChunkState.PARKED)
        again = parked.update(state=ChunkState.PENDING, attempts=0, due_at=timezone.now())
        if not split_off_failed(job) and not again:
            raise NothingToRetry
        job.finished_at = None
        outbox.open_lanes(job)
    return job


def do_fan_out(
    author: User | None,
    kind: type[Kind],
    context: Mapping[str, Any],
    audience: Audience | Mapping[str, Any],
) -> BulkJob:
    """
    Create and start a job for code that tells many, in the caller's transaction if there is one.

    Nobody's permission is asked. Nobody being there is no error: it finishes with a total of 0.

    Args:
        author: gets its progress; None for nobody.
        kind: any registered kind, offered or not.
        context: what its templates are rendered with; JSON, at most 16 KiB.
        audience: not ids, which nobody could list in time.

    Raises:
        InvalidRequest: the context or the audience cannot be taken.
    """
    check_size(context)
    meant = parse_audience(audience) if isinstance(audience, Mapping) else audience
    if isinstance(meant, Listed):
        raise InvalidRequest("audience", "Create a draft, add its recipients, then start it.")
    with transaction.atomic():
        job = BulkJob(
            kind=kind.key,
            context=dict(context),
            audience=meant.pinned().as_data(),
            state=JobState.PLANNING,
            created_by=author,
            moved_at=timezone.now(),
        )
        job.save(force_insert=True)
        _begin(job)
        # The workers tell of it: a publication here would be locked before the caller's own.
        job.save()
    return job


def do_tell(job_id: int) -> None:
    """Tell a job's starter how far it is, unless somebody did within a second or is about to."""
    with transaction.atomic():
        jobs = BulkJob.objects.select_for_update(skip_locked=True, no_key=True)
        job = jobs.filter(pk=job_id).first()
        if job is not None and is_due(job):
            tell(job)
            job.save(update_fields=["told_at", "moved_at"])


def is_due(job: BulkJob) -> bool:
    """Say whether a job was told of longer than a second ago."""
    return job.told_at is None or timezone.now() - job.told_at >= _TELL_EVERY


def tell(job: BulkJob) -> None:
    """Publish how far a job is; the caller holds its row, saves it and publishes nothing else."""
    job.told_at = job.moved_at = timezone.now()
    if job.created_by_id is not None:
        publish(user_channel(job.created_by_id), as_data(job))


@contextmanager
def _moving(actor: AbstractUser, job_id: int, transition: Transition) -> Iterator[BulkJob]:
    """Hold a job while it makes a transition, then save it and tell its starter."""
    access_staff(actor)
    with transaction.atomic():
        job = locked_job(job_id)
        if job is None:
            raise UnknownJob
        job.state = next_state(JobState(job.state), transition)
        job.moved_at = timezone.now()
        yield job
        tell(job)
        job.save()


def _begin(job: BulkJob) -> None:
    job.started_at = timezone.now()
    # Planning counts them as it puts them into chunks.
    job.total = 0
    # One is enough to plan; the others start when there are chunks.
    outbox.open_lanes(job, 1)
