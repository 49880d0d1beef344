"""
Lanes: what a worker does with a job for some seconds, before it lets others have their turn.

Several may work on one job, and nothing goes wrong when a message came twice: a chunk is claimed
by its row's lock before anything is done, and its outcome is committed with it.
"""

from __future__ import annotations

import logging
import time

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from shared.bulk import outbox
from shared.bulk.access import locked_job
from shared.bulk.actions import do_tell, is_due, tell
from shared.bulk.delivering import do_deliver_chunk
from shared.bulk.models import BulkJob, Chunk
from shared.bulk.planning import do_plan_page
from shared.bulk.states import ChunkState, JobState, Transition, next_state
from shared.realtime.transactions import retry_on_deadlock
from shared.telemetry import metrics

__all__ = ["SLICE_SECONDS", "drain"]

logger = logging.getLogger(__name__)

# A small job that comes after a big one waits no longer than this for its first turn.
SLICE_SECONDS = 5.0


def drain(job_id: int, token: str = "", *, seconds: float = SLICE_SECONDS) -> bool:
    """
    Plan and deliver for some seconds, then send the lane on if there is more.

    A database that goes away ends the lane without harm; `outbox.do_sweep` opens another.

    Args:
        job_id: the job.
        token: the lane's; without one nothing is sent on.
        seconds: for how long.

    Returns:
        Whether the time was too short for what is due.
    """
    try:
        return _drain(job_id, token, time.monotonic() + seconds)
    except (OperationalError, InterfaceError) as error:
        logger.warning("Job %d waits until the database is back: %s", job_id, str(error).strip())
        return False


def _drain(job_id: int, token: str, until: float) -> bool:
    untold = False
    while True:
        job = BulkJob.objects.filter(pk=job_id).first()
        is_ours = job is not None and (not token or token in job.lanes)
        if job is None or not is_ours or not JobState(job.state).is_moving:
            if untold:
                _leave(job_id, token)
            return False
        if time.monotonic() >= until:
            _send_on(job_id, token)
            return True
        if job.state == JobState.PLANNING:
            do_plan_page(job_id)
        elif do_deliver_chunk(job):
            untold = True
            # As the row was before the chunk: whoever has told since keeps us from it.
            if is_due(job):
                do_tell(job_id)
        else:
            _leave(job_id, token)
            return False


def _send_on(job_id: int, token: str) -> None:
    with transaction.atomic():
        job = locked_job(job_id)
        if job is not None:
            outbox.hand_over(job, token)


@retry_on_deadlock
def _leave(job_id: int, token: str) -> None:
    """End a lane and tell of what it did; the last of all finishes the job."""
    with transaction.atomic():
        job = locked_job(job_id)
        # Whoever has finished it saw all there was, and told of it.
        if job is None or job.state == JobState.FINISHED:
            return
        job.lanes = [each for each in job.lanes if each != token]
        # A chunk in another worker's hands is still pending to us: then that one comes here after.
        pending = Chunk.objects.filter(job=job, state=ChunkState.PENDING)
        if job.state == JobState.RUNNING and not pending.exists():
            _finish(job)
        else:
            tell(job)
        job.save()


def _finish(job: BulkJob) -> None:
    job.state = next_state(JobState(job.state), Transition.FINISH)
    job.finished_at = timezone.now()
    job.lanes = []
    tell(job)
    if job.started_at is not None:
        duration = (job.finished_at - job.started_at).total_seconds()
        transaction.on_commit(lambda: metrics.FANOUT_JOB_DURATION.observe(duration))
