"""Chunks of a job whose row the caller holds: made when it is planned, made anew for a retry."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from django.db.models import F, Max
from django.utils import timezone

from shared.bulk.chunking import split
from shared.bulk.models import BulkJob, Chunk, Failure
from shared.bulk.states import ChunkState

__all__ = ["add_chunks", "split_off_failed"]


def add_chunks(job: BulkJob, user_ids: Sequence[int]) -> None:
    """Append chunks for these recipients, in ascending ids, to those that the job has."""
    last = Chunk.objects.filter(job=job).aggregate(last=Max("number", default=0))["last"]
    Chunk.objects.bulk_create(
        [
            Chunk(job=job, number=number, user_ids=list(part), size=len(part))
            for number, part in enumerate(split(user_ids), last + 1)
        ],
        batch_size=100,
    )


def split_off_failed(job: BulkJob) -> bool:
    """
    Make everybody who failed a recipient of a pending chunk; say whether there was anybody.

    Each recipient stands in one chunk, before and after, so the sums go on adding up.
    """
    failures = Failure.objects.filter(job=job)
    if not failures.exists():
        return False
    done = Chunk.objects.filter(job=job, state=ChunkState.DONE, failed__gt=0)
    # A chunk in which everybody failed is tried again as it is.
    whole = done.filter(failed=F("size"))
    moving = failures.exclude(chunk__in=whole.values("pk")).order_by("user_id")
    moved = array("q", moving.values_list("user_id", flat=True).iterator(chunk_size=10_000))
    for chunk in done.filter(failed__lt=F("size")).iterator(chunk_size=100):
        left = set(failures.filter(chunk=chunk).values_list("user_id", flat=True))
        chunk.user_ids = [user_id for user_id in chunk.user_ids if user_id not in left]
        chunk.size, chunk.failed = len(chunk.user_ids), 0
        chunk.save(update_fields=["user_ids", "size", "failed"])
    whole.update(state=ChunkState.PENDING, attempts=0, failed=0, due_at=timezone.now())
    add_chunks(job, moved)
    failures.delete()
    return True
