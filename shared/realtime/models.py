"""The log's tables. Nobody writes them but `streams`, `retention` and `deployment`."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

__all__ = ["Deployment", "Publication", "Stream"]


class Deployment(models.Model):
    """
    One row: which life of the database this is.

    The incarnation is a part of every epoch. It changes when the database was restored or failed
    over, because then offsets that clients have seen may be handed out again.
    """

    ONLY = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY, editable=False)
    incarnation = models.CharField(max_length=16, editable=False)
    # PostgreSQL's timeline when the incarnation began; 0 where there is none (SQLite).
    timeline = models.BigIntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="realtime_deployment_one_row")
        ]

    def __str__(self) -> str:
        return f"incarnation {self.incarnation}"


class Stream(models.Model):
    """
    A channel's log: its epoch and its head, the offset of the newest publication (0: empty).

    The row is the channel's lock, and it is hot: a fill factor leaves room for its next version
    on the same page (see the migration).
    """

    channel = models.CharField(max_length=255, unique=True)
    epoch = models.CharField(max_length=16)
    head = models.BigIntegerField(default=0)
    created = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.channel} at {self.head}"


class Publication(models.Model):
    """
    One entry of a stream.

    It holds `data`, a JSON object as text, or, thin, the `ref` of a domain row that its namespace
    turns into data when somebody reads (`Namespace.load`).
    """

    pk = models.CompositePrimaryKey("stream_id", "offset")
    # No database constraint: only the append that holds the stream's lock inserts here, and a
    # check per row is a fifth of a bulk job's time.
    stream = models.ForeignKey(
        Stream, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    offset = models.BigIntegerField()
    ref = models.BigIntegerField(null=True)
    data = models.TextField(null=True)  # noqa: DJ001 - null means "see ref", not "empty"
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(data__isnull=True, ref__isnull=False)
                | models.Q(data__isnull=False, ref__isnull=True),
                name="realtime_publication_data_or_ref",
            ),
            models.CheckConstraint(
                condition=models.Q(offset__gt=0), name="realtime_publication_offset_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"publication {self.offset} of stream {self.stream_id}"
