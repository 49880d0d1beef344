"""
Planning: an audience becomes chunks, page by page in ascending user ids.

A page's chunks and how far the job is planned are written in one transaction under the job's row:
a worker that is killed leaves whole pages, and the next goes on after them.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from shared.bulk import outbox
from shared.bulk.access import locked_job
from shared.bulk.actions import is_due, tell
from shared.bulk.audiences import Listed, parse_audience
from shared.bulk.chunking import PAGE_RECIPIENTS
from shared.bulk.chunks import add_chunks
from shared.bulk.models import BulkJob, Recipient
from shared.bulk.states import JobState, Transition, next_state
from shared.realtime.transactions import retry_on_deadlock

__all__ = ["do_plan_page"]


@retry_on_deadlock
def do_plan_page(job_id: int) -> None:
    """Plan up to 10,000 recipients; after the last of them the job runs, or is finished at once."""
    with transaction.atomic():
        # Two workers that plan take turns; pages take milliseconds.
        job = locked_job(job_id)
        if job is None or job.state != JobState.PLANNING:
            return
        audience = parse_audience(job.audience, stored=True)
        after = job.planned_through
        user_ids = audience.page(job.pk, after, PAGE_RECIPIENTS)
        if user_ids:
            add_chunks(job, user_ids)
            job.planned_through = user_ids[-1]
            job.total += len(user_ids)
        if isinstance(audience, Listed):
            # From where this page began: before it lies what earlier pages have left to vacuum.
            page = Recipient.objects.filter(job_id=job.pk, user_id__gt=after)
            page.filter(user_id__lte=job.planned_through).delete()
        if len(user_ids) < PAGE_RECIPIENTS:
            _end(job)
        job.moved_at = timezone.now()
        if is_due(job) or job.state != JobState.PLANNING:
            tell(job)
        job.save()


def _end(job: BulkJob) -> None:
    job.state = next_state(JobState(job.state), Transition.PLANNED)
    if job.total > 0:
        outbox.open_more_lanes(job)
        return
    job.state = next_state(job.state, Transition.FINISH)
    job.finished_at = timezone.now()
    job.lanes = []
