"""
Jobs, their chunks, and who could not be told. A job's row is its own outbox.

What a job has done is the sum over its chunks, each written once in the transaction that delivers
it: no counter is hot, and none can disagree with the rows.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from shared.bulk.states import ChunkState, JobState

__all__ = ["BulkJob", "Chunk", "Failure", "Recipient", "SavedFilter"]


class SavedFilter(models.Model):
    """A named choice of users, to be used again (see `shared.bulk.audiences.Criteria`)."""

    name = models.CharField(max_length=100, unique=True)
    criteria = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class BulkJob(models.Model):
    """One notification to many people."""

    kind = models.CharField(max_length=64)
    # What the kind's templates are rendered with.
    context = models.JSONField(default=dict)
    # Who is meant: {"type": "all" | "filter" | "followers" | "ids", ...}.
    audience = models.JSONField(default=dict)
    state = models.CharField(
        max_length=16,
        choices=[(state.value, state.value) for state in JobState],
        default=JobState.DRAFT.value,
    )
    # The creator's own name for the request: the same one again is the same job.
    idempotency_key = models.CharField(max_length=64, null=True)  # noqa: DJ001 - see constraint
    # What a draft is compared with when its idempotency key comes again.
    digest = models.CharField(max_length=64, default="", editable=False)
    # Recipients; exact once planning has ended, before that those planned so far.
    total = models.PositiveIntegerField(default=0)
    # Given ids that are no active user's, or stood there before.
    unknown = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    # The highest user id that planning has put into a chunk.
    planned_through = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="bulk_jobs"
    )
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # When it was handed to the workers last, and when anything of it was done last.
    enqueued_at = models.DateTimeField(null=True)
    moved_at = models.DateTimeField(null=True)
    # When its progress was published last.
    told_at = models.DateTimeField(null=True)
    # The lanes that work on it, by a token each (see `shared.bulk.outbox`).
    lanes = models.JSONField(default=list, editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["state"],
                condition=models.Q(state__in=["draft", "planning", "running", "paused"]),
                name="bulk_job_unfinished",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["created_by", "idempotency_key"], name="bulk_job_idempotency_key"
            )
        ]

    def __str__(self) -> str:
        return f"job {self.pk}: {self.kind} ({self.state})"


class Recipient(models.Model):
    """A listed user of a job whose audience is ids, until planning puts them into a chunk."""

    pk = models.CompositePrimaryKey("job_id", "user_id")
    job = models.ForeignKey(
        BulkJob, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    user_id = models.BigIntegerField()

    def __str__(self) -> str:
        return f"user {self.user_id} of job {self.job_id}"


class Chunk(models.Model):
    """
    Up to a thousand recipients of a job, delivered in one transaction.

    Its row is its lock: a worker that has it has the chunk.
    """

    job = models.ForeignKey(
        BulkJob, on_delete=models.CASCADE, db_index=False, related_name="chunks"
    )
    number = models.PositiveIntegerField()
    # Ascending.
    user_ids = models.JSONField()
    size = models.PositiveSmallIntegerField()
    state = models.CharField(
        max_length=8,
        choices=[(state.value, state.value) for state in ChunkState],
        default=ChunkState.PENDING.value,
    )
    # How often it raised, and what it said last. A worker that was killed does not count.
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    # Not before this time, after an error.
    due_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)
    # What became of its recipients; they add up to `size` when it is done.
    delivered = models.PositiveSmallIntegerField(default=0)
    muted = models.PositiveSmallIntegerField(default=0)
    gone = models.PositiveSmallIntegerField(default=0)
    failed = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["job", "number"]
        indexes = [
            models.Index(
                fields=["job", "number"],
                condition=models.Q(state="pending"),
                name="bulk_chunk_pending",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="bulk_chunk_number_once")
        ]

    def __str__(self) -> str:
        return f"chunk {self.number} of job {self.job_id}"


class Failure(models.Model):
    """A recipient whose notification could not be made, and why."""

    job = models.ForeignKey(BulkJob, on_delete=models.CASCADE, db_index=False)
    chunk = models.ForeignKey(Chunk, on_delete=models.CASCADE)
    user_id = models.BigIntegerField()
    reason = models.CharField(max_length=300)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["job", "user_id"], name="bulk_failure_once")]

    def __str__(self) -> str:
        return f"user {self.user_id} in job {self.job_id}: {self.reason}"
