"""
What keeps a publication that comes twice from being stored twice: keys, and versions.

A key is a server's own name for one publication. Its receipt is written in the transaction that
publishes, so whoever comes second, on whichever web worker, waits for the first one's commit and
gets its position; after five minutes the key means another publication. A version is a number
that only grows: what is not newer than the newest one of the channel is dropped.

Nobody calls this but `shared.realtime.actions`. Receipts are taken before streams are locked, and
both in a fixed order, so that callers never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import msgspec
from django.db import connection, models
from django.utils import timezone

from shared.realtime.positions import Position

__all__ = [
    "KEPT",
    "Receipt",
    "StreamVersion",
    "claim",
    "drop_outdated",
    "forget_receipts",
    "settle",
]

# For how long a key means the same publication.
KEPT = timedelta(minutes=5)

# Whoever finds the row of a transaction that is not over waits for its end.
_CLAIM = """
    INSERT INTO realtime_receipt (channel, key, epoch, "offset", created)
    SELECT {channel}, %s, '', 0, %s FROM {channels} WHERE true ORDER BY 1
    ON CONFLICT (channel, key) DO UPDATE SET epoch = '', "offset" = 0, created = excluded.created
    WHERE realtime_receipt.created <= %s
    RETURNING channel
"""
_CLAIM_POSTGRESQL = _CLAIM.format(channel="c", channels="unnest(%s::text[]) AS w(c)")
_CLAIM_SQLITE = _CLAIM.format(channel="value", channels="json_each(%s)")
_SETTLE = """
    UPDATE realtime_receipt SET epoch = %s, "offset" = %s WHERE channel = %s AND key = %s
"""


class Receipt(models.Model):
    """Where a publication with a key went; without history the epoch is "" and the offset 0."""

    channel = models.CharField(max_length=255)
    key = models.CharField(max_length=255)
    epoch = models.CharField(max_length=64)
    offset = models.BigIntegerField()
    created = models.DateTimeField(db_index=True)

    class Meta:
        app_label = "realtime"
        constraints = [
            models.UniqueConstraint(fields=["channel", "key"], name="realtime_receipt_once")
        ]

    def __str__(self) -> str:
        return f"{self.channel} at {self.offset}"


class StreamVersion(models.Model):
    """The version of a channel's newest publication that had one; its stream's lock guards it."""

    channel = models.CharField(max_length=255, primary_key=True)
    version = models.BigIntegerField()
    # A server's own name for one counting; with another one, counting starts anew.
    version_epoch = models.CharField(max_length=255)

    class Meta:
        app_label = "realtime"

    def __str__(self) -> str:
        return f"{self.channel} at version {self.version}"


def claim(key: str, channels: Collection[str]) -> dict[str, Position]:
    """
    Make a key this transaction's, for each channel, or say where its publication went.

    Args:
        key: at most 255 characters.
        channels: no channel twice.

    Returns:
        The first positions, of those channels where the key was used in the last five minutes.
    """
    now = timezone.now()
    moments = [connection.ops.adapt_datetimefield_value(each) for each in (now, now - KEPT)]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_CLAIM_POSTGRESQL, [key, moments[0], sorted(channels), moments[1]])
        else:
            names = msgspec.json.encode(sorted(channels)).decode()
            cursor.execute(_CLAIM_SQLITE, [key, moments[0], names, moments[1]])
        claimed = {row[0] for row in cursor.fetchall()}
    if not (used := set(channels) - claimed):
        return {}
    receipts = Receipt.objects.filter(key=key, channel__in=used)
    return {each.channel: Position(each.epoch, each.offset) for each in receipts}


def settle(key: str, positions: Mapping[str, Position]) -> None:
    """Write down where the publications of claimed channels went."""
    rows = [(*position, channel, key) for channel, position in sorted(positions.items())]
    with connection.cursor() as cursor:
        cursor.executemany(_SETTLE, rows)


def drop_outdated(channels: Sequence[str], version: int, version_epoch: str) -> set[str]:
    """
    Return the channels that have this version or a newer one already; note it for the others.

    The caller holds the locks of the channels' streams.

    Args:
        channels: no channel twice.
        version: 1 or more.
        version_epoch: the counting; "" goes on with whichever the channel has.
    """
    known = StreamVersion.objects.in_bulk(channels)
    outdated = {
        channel
        for channel, stored in known.items()
        if version <= stored.version and version_epoch in ("", stored.version_epoch)
    }
    StreamVersion.objects.bulk_create(
        [
            StreamVersion(
                channel=channel,
                version=version,
                version_epoch=version_epoch or _epoch_of(known.get(channel)),
            )
            for channel in channels
            if channel not in outdated
        ],
        update_conflicts=True,
        unique_fields=["channel"],
        update_fields=["version", "version_epoch"],
    )
    return outdated


def _epoch_of(stored: StreamVersion | None) -> str:
    return "" if stored is None else stored.version_epoch


def forget_receipts() -> int:
    """Delete the receipts of keys that mean nothing anymore; say how many."""
    # Twice as old: nobody who has just found one fresh finds it gone.
    deleted, _ = Receipt.objects.filter(created__lt=timezone.now() - 2 * KEPT).delete()
    return deleted
