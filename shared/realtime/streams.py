"""
Streams: the row lock, the append and the reads. All SQL of the log's hot path is here.

A stream's row is its lock. Appending takes it and holds it until the transaction ends, so the
next writer sees the head that this one leaves, or, after a rollback, the one it found.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import batched
from typing import Any, NamedTuple

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from shared.broker.wire import Published
from shared.realtime.drafts import Entry, encode_data
from shared.realtime.models import Deployment, Publication, Stream
from shared.realtime.namespaces import namespace_of
from shared.realtime.positions import Position

__all__ = [
    "REDACTED",
    "Head",
    "append_many",
    "clear",
    "head",
    "heads",
    "lock_streams",
    "read",
    "redact",
    "touch",
    "touch_many",
]

_PAGE = 200
# What a reader gets for a thin publication whose domain row is gone.
REDACTED: Mapping[str, str] = {"type": "redacted"}

# The incarnation comes with every row that is read: a process that kept it would go on with the
# old one after a restore.
_BUMP = """
    UPDATE realtime_stream SET head = head + %s WHERE channel = %s
    RETURNING id, epoch, head, (SELECT incarnation FROM realtime_deployment WHERE id = 1)
"""
# Rows of publications, which the ORM takes three times as long to write.
_INSERT = """
    INSERT INTO realtime_publication (stream_id, "offset", ref, data, created)
    VALUES {rows}
"""
_INSERTED_ROW = "(%s, %s, %s, %s, %s)"
_INSERTED_AT_ONCE = 1_000
_HEAD = """
    SELECT s.id, s.epoch, s.head, d.incarnation
    FROM realtime_stream s, realtime_deployment d WHERE d.id = 1 AND s.channel = %s
"""
_HEADS_POSTGRESQL = """
    SELECT s.id, s.epoch, s.head, d.incarnation
    FROM realtime_stream s, realtime_deployment d WHERE d.id = 1 AND s.id = ANY(%s)
"""
_HEADS_SQLITE = """
    SELECT s.id, s.epoch, s.head, d.incarnation
    FROM realtime_stream s, realtime_deployment d
    WHERE d.id = 1 AND s.id IN (SELECT value FROM json_each(%s))
"""
# Rows of a stream beyond an offset; the ORM takes five times as long to make objects of them.
_ROWS = """
    SELECT "offset", ref, data, created FROM realtime_publication
    WHERE stream_id = %s AND "offset" > %s AND "offset" < %s ORDER BY "offset" {order} LIMIT %s
"""
_HEADS_OF_POSTGRESQL = """
    SELECT s.channel, s.id, s.epoch, s.head, d.incarnation
    FROM realtime_stream s, realtime_deployment d WHERE d.id = 1 AND s.channel = ANY(%s)
"""
_HEADS_OF_SQLITE = """
    SELECT s.channel, s.id, s.epoch, s.head, d.incarnation
    FROM realtime_stream s, realtime_deployment d
    WHERE d.id = 1 AND s.channel IN (SELECT value FROM json_each(%s))
"""


class Head(NamedTuple):
    """Where a stream stands."""

    stream_id: int
    position: Position


def touch(channel: str) -> Head:
    """Return where the channel's stream stands, making the stream if there is none."""
    found = head(channel)
    if found is None:
        _create([channel])
        found = head(channel)
        assert found is not None, "a stream that was just made is there"
    return found


def head(channel: str) -> Head | None:
    """Return where the channel's stream stands, or None where nothing was ever published."""
    with connection.cursor() as cursor:
        cursor.execute(_HEAD, [channel])
        row = cursor.fetchone()
    return None if row is None else _head(row)


def touch_many(channels: Collection[str]) -> dict[str, Head]:
    """Return where channels' streams stand, in one statement, making those that are not there."""
    found = _heads_of(channels)
    if missing := set(channels) - found.keys():
        _create(sorted(missing))
        found |= _heads_of(missing)
    return found


def _heads_of(channels: Collection[str]) -> dict[str, Head]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_HEADS_OF_POSTGRESQL, [list(channels)])
        else:
            cursor.execute(_HEADS_OF_SQLITE, [msgspec.json.encode(list(channels)).decode()])
        return {row[0]: _head(row[1:]) for row in cursor.fetchall()}


def heads(stream_ids: Sequence[int]) -> list[Head]:
    """
    Return where many streams stand, in one statement; ids that do not exist are left out.

    Raw SQL with one array: the ORM's IN with a thousand parameters costs five times as much.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_HEADS_POSTGRESQL, [list(stream_ids)])
        else:
            cursor.execute(_HEADS_SQLITE, [msgspec.json.encode(list(stream_ids)).decode()])
        return [_head(row) for row in cursor.fetchall()]


def append_many(entries: Sequence[Entry]) -> list[Published]:
    """
    Append publications to any number of streams; the caller is inside a transaction.

    Locks are taken in ascending stream id, and streams are made in the order of their names, so
    two callers with the same channels in opposite orders wait for each other, never in a circle.
    The results stand in the order of the entries.
    """
    if not entries:
        return []
    channels = {entry.draft.channel for entry in entries}
    if len(channels) == 1:
        return _append_to_one(channels.pop(), entries)
    streams = lock_streams(sorted(channels))
    incarnation = Deployment.objects.values_list("incarnation", flat=True).get(id=Deployment.ONLY)
    rows, published = [], []
    for entry in entries:
        stream = streams[entry.draft.channel]
        stream.head += 1
        position = Position(f"{stream.epoch}-{incarnation}", stream.head)
        row = _row(entry, stream.pk, position)
        rows.append(row)
        published.append(_published(stream.channel, position, entry.text, row))
    Stream.objects.bulk_update(streams.values(), ["head"], batch_size=500)
    Publication.objects.bulk_create(rows, batch_size=1_000)
    return published


def read(
    channel: str,
    stream_id: int,
    position: Position,
    *,
    after: int,
    limit: int,
    byte_limit: int | None = None,
    reverse: bool = False,
) -> list[Published]:
    """
    Return the stored publications after an offset, oldest first; reversed, those before it.

    Args:
        channel: the stream's channel.
        stream_id: the stream.
        position: where the stream stood when the caller looked; nothing beyond it is read, so
            head and rows agree although they are two statements (the log only grows).
        after: exclusive; with `reverse`, the exclusive upper end.
        limit: at most this many.
        byte_limit: stop before the data exceeds so many bytes, but not before the first; the
            result is then too short, and the caller sees a hole.
    """
    # The offsets between which they are, both exclusive; small, whatever a client asks for.
    beyond, until = min(after, position.offset), position.offset + 1
    if reverse:
        beyond, until = -1, min(after, until)
    found: list[Published] = []
    size = 0
    while len(found) < limit:
        # By the page, so that the byte limit bounds what is fetched, not only what is returned;
        # from the last offset on, because retention may cut the oldest rows in between.
        page = _rows(stream_id, beyond, until, min(_PAGE, limit - len(found)), reverse=reverse)
        loaded = _load(channel, [row.ref for row in page if row.ref is not None])
        for row in page:
            text = row.data if row.data is not None else loaded[row.ref or 0]
            size += len(text.encode())
            if byte_limit is not None and size > byte_limit and found:
                return found
            time = row.created.timestamp()
            found.append(Published(channel, position.epoch, row.offset, text, time))
        if len(page) < _PAGE:
            break
        if reverse:
            until = page[-1].offset
        else:
            beyond = page[-1].offset
    return found


class _Row(NamedTuple):
    offset: int
    ref: int | None
    data: str | None
    created: datetime


def _rows(stream_id: int, after: int, before: int, limit: int, *, reverse: bool) -> list[_Row]:
    with connection.cursor() as cursor:
        order = "DESC" if reverse else "ASC"
        cursor.execute(_ROWS.format(order=order), [stream_id, after, before, limit])
        rows = cursor.fetchall()
    if connection.vendor == "sqlite":
        # Which keeps times as text, of UTC.
        return [
            _Row(offset, ref, data, datetime.fromisoformat(f"{created}+00:00"))
            for offset, ref, data, created in rows
        ]
    return list(map(_Row._make, rows))


def redact(channel: str, offset: int, data: Mapping[str, object]) -> bool:
    """Replace a stored publication's data; its offset stays. False when it is not kept anymore."""
    return (
        Publication.objects.filter(
            stream_id__in=Stream.objects.filter(channel=channel).values("id"), offset=offset
        ).update(data=encode_data(data), ref=None)
        > 0
    )


def clear(channel: str) -> int:
    """
    Remove all that the channel's stream keeps, as when its owner is deleted; its head stays.

    Returns how many publications went. A reader who has missed some of them cannot recover.
    """
    ids = Stream.objects.filter(channel=channel).values("id")
    return Publication.objects.filter(stream_id__in=ids).delete()[0]


def lock_streams(channels: Sequence[str]) -> dict[str, Stream]:
    """Lock the channels' streams in ascending id and return them by channel, making new ones."""
    streams = Stream.objects.filter(channel__in=channels)
    missing = set(channels) - set(streams.values_list("channel", flat=True))
    if missing:
        _create(sorted(missing))
    return {stream.channel: stream for stream in streams.select_for_update().order_by("id")}


def _append_to_one(channel: str, entries: Sequence[Entry]) -> list[Published]:
    stream_id, head = _bump(channel, len(entries))
    rows, published = [], []
    for offset, entry in enumerate(entries, head.offset - len(entries) + 1):
        position = Position(head.epoch, offset)
        row = _row(entry, stream_id, position)
        rows.append(row)
        published.append(_published(channel, position, entry.text, row))
    _insert(rows)
    return published


def _row(entry: Entry, stream_id: int, position: Position) -> Publication:
    thin = entry.draft.ref is not None
    return Publication(
        stream_id=stream_id,
        offset=position.offset,
        ref=entry.draft.ref,
        data=None if thin else entry.text,
    )


def _insert(rows: Sequence[Publication]) -> None:
    for chunk in batched(rows, _INSERTED_AT_ONCE):
        values: list[Any] = []
        for row in chunk:
            created = connection.ops.adapt_datetimefield_value(row.created)
            values += [row.stream_id, row.offset, row.ref, row.data, created]
        with connection.cursor() as cursor:
            rows_written = ", ".join([_INSERTED_ROW] * len(chunk))
            cursor.execute(_INSERT.format(rows=rows_written), values)


def _bump(channel: str, count: int) -> tuple[int, Position]:
    """Lock a stream and take the next places in it; return the last of them."""
    for _ in range(2):
        with connection.cursor() as cursor:
            cursor.execute(_BUMP, [count, channel])
            row = cursor.fetchone()
        if row is not None:
            return _head(row)
        _create([channel])
    raise AssertionError("a stream that was just made can be locked")


def _create(channels: Iterable[str]) -> None:
    # Ignoring conflicts: of two first publishers the second waits here, then finds the row.
    with transaction.atomic():
        Stream.objects.bulk_create(
            [Stream(channel=channel, epoch=secrets.token_hex(4)) for channel in channels],
            ignore_conflicts=True,
        )


def _load(channel: str, refs: Sequence[int]) -> dict[int, str]:
    if not refs:
        return {}
    data = namespace_of(channel).load(refs)
    return {ref: encode_data(data.get(ref, REDACTED)) for ref in refs}


def _head(row: tuple[int, str, int, str]) -> Head:
    stream_id, epoch, offset, incarnation = row
    return Head(stream_id, Position(f"{epoch}-{incarnation}", offset))


def _published(channel: str, position: Position, text: str, row: Publication) -> Published:
    created = row.created or timezone.now()
    return Published(channel, position.epoch, position.offset, text, created.timestamp())
