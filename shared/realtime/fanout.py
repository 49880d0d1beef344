"""
One thin publication to each of many channels: the append behind notifications and bulk jobs.

The same promise as `streams.append_many`, by sets: on PostgreSQL a thousand channels cost one
statement that locks their streams in ascending id, bumps the heads and inserts, and a second one
where some of them have no stream yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from shared.realtime.models import Deployment, Publication, Stream
from shared.realtime.streams import lock_streams

__all__ = ["Appended", "append_refs"]

_CREATE = """
    INSERT INTO realtime_stream (channel, epoch, head, created)
    SELECT w.channel, substr(md5(random()::text), 1, 8), 0, now()
    FROM unnest(%s::text[]) AS w(channel)
    WHERE NOT EXISTS (SELECT FROM realtime_stream s WHERE s.channel = w.channel)
    ORDER BY w.channel
    ON CONFLICT (channel) DO NOTHING
"""
# The lock is taken on sorted rows, and only then are they changed: an UPDATE with a join would
# lock them in whatever order the plan meets them.
_APPEND = """
    WITH wanted AS (
        SELECT * FROM unnest(%s::text[], %s::bigint[]) AS w(channel, ref)
    ), locked AS (
        SELECT s.id, w.ref FROM wanted w JOIN realtime_stream s ON s.channel = w.channel
        ORDER BY s.id FOR UPDATE OF s
    ), bumped AS (
        UPDATE realtime_stream s SET head = s.head + 1 FROM locked l WHERE s.id = l.id
        RETURNING s.id, s.channel, s.epoch, s.head, l.ref
    ), stored AS (
        INSERT INTO realtime_publication (stream_id, "offset", ref, created)
        SELECT id, head, ref, %s FROM bumped
    )
    SELECT b.channel, b.epoch || '-' || d.incarnation, b.head, b.ref
    FROM bumped b, realtime_deployment d WHERE d.id = 1
"""


class Appended(NamedTuple):
    """A thin publication and its place."""

    channel: str
    epoch: str
    offset: int
    ref: int


def append_refs(channels: Sequence[str], refs: Sequence[int]) -> list[Appended]:
    """
    Append one thin publication to each channel's stream; the caller is inside a transaction.

    Args:
        channels: no channel twice.
        refs: the id of the domain row, by channel.
    """
    if connection.vendor == "postgresql":
        return _append_postgresql(channels, refs)
    return _append_portable(channels, refs)


def _append_postgresql(channels: Sequence[str], refs: Sequence[int]) -> list[Appended]:
    # Array literals written here: the driver's own way costs as much as the statement. A channel's
    # name may hold commas, and nothing else that must be escaped.
    quoted = '","'.join(channels)
    names, numbers = f'{{"{quoted}"}}', f"{{{','.join(map(str, refs))}}}"
    with connection.cursor() as cursor:
        cursor.execute(_CREATE, [names])
        cursor.execute(_APPEND, [names, numbers, timezone.now()])
        return [Appended(*row) for row in cursor.fetchall()]


def _append_portable(channels: Sequence[str], refs: Sequence[int]) -> list[Appended]:
    streams = lock_streams(channels)
    incarnation = Deployment.objects.values_list("incarnation", flat=True).get(id=Deployment.ONLY)
    rows, appended = [], []
    for channel, ref in zip(channels, refs, strict=True):
        stream = streams[channel]
        stream.head += 1
        rows.append(Publication(stream_id=stream.pk, offset=stream.head, ref=ref))
        appended.append(Appended(channel, f"{stream.epoch}-{incarnation}", stream.head, ref))
    Stream.objects.bulk_update(streams.values(), ["head"], batch_size=500)
    Publication.objects.bulk_create(rows, batch_size=1_000)
    return appended
