"""
Recoveries: what returning clients have missed, read once for all who ask together.

When a gateway goes, all of its clients come back at once, and those of a channel have missed the
same. A channel's log is read for one of them at a time. Who asks before that read has begun shares
it, whatever the position; who asks later waits and shares the next one. So nobody gets what was
read before they asked: a message that was deleted by then is told to nobody.

What was read is kept for as long as somebody catches up by it, and no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import batched
from threading import Lock

from services.gateway.batches import Batch
from services.gateway.database import DatabaseThreads
from services.gateway.missed import NOTHING, Missed, Page
from shared.broker.wire import Published
from shared.realtime import streams
from shared.realtime.history import RECOVERY_BYTES, heads_of, missed_since
from shared.realtime.positions import NOWHERE, Position
from shared.realtime.streams import Head
from shared.telemetry import metrics

__all__ = ["Recoveries", "Recovery", "lost"]

# Channels that a thread reads one after the other: each may bring half a megabyte.
_CHANNELS_AT_ONCE = 20
# Of one client.
_CLIENTS_CHANNELS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Recovery:
    """
    What to tell a client that comes back.

    Attributes:
        stream_id: the channel's stream; None for a channel without history, which has none.
        head: where the stream stood at the read.
        missed: all that the client missed up to there; None where that cannot be told.
    """

    stream_id: int | None
    head: Position
    missed: Missed | None


class Recoveries:
    """The reads of all channels' logs for clients that catch up."""

    def __init__(self, database: DatabaseThreads) -> None:
        self._database = database
        self._pages = Batch[_Read, Page](database, _pages, at_once=_CHANNELS_AT_ONCE)
        self._heads = Batch[str, Head | None](database, _heads)
        # Of each channel the latest read: it runs, or waits for the one before it to end.
        self._reads: dict[str, _Read] = {}

    async def recover(
        self, since: Mapping[str, Position | None], heads: Mapping[str, Head | None]
    ) -> dict[str, Recovery]:
        """
        Return what a client has missed in channels, half a megabyte in all of them together.

        What is beyond that cannot be told. So a client with many channels takes no more of the
        memory, and of the database's time, than one that has missed much in one of them.

        Args:
            since: where it stood in each; None for "from now on".
            heads: where the channels' streams stood a moment ago; None where nothing is kept.

        Raises:
            DatabaseAway: the log cannot be read now.
        """
        if len(since) == 1:
            [(channel, place)] = since.items()
            return {channel: await self._recover(channel, place, heads[channel])}
        found: dict[str, Recovery] = {}
        left = RECOVERY_BYTES
        # Where least was missed comes first: so it is told wherever that is possible.
        by_cost = sorted(since, key=lambda name: _num_missed(since[name], heads[name]))
        for some in batched(by_cost, _CLIENTS_CHANNELS_AT_ONCE):
            places = {name: since[name] if left else lost(since[name]) for name in some}
            asked = [self._recover(name, each, heads[name]) for name, each in places.items()]
            for name, each in zip(some, await asyncio.gather(*asked), strict=True):
                size = 0 if each.missed is None else each.missed.size
                found[name] = each if size <= left else replace(each, missed=None)
                left = left - size if size <= left else 0
        return found

    async def again(self, channel: str, since: Position | None) -> Recovery:
        """
        Return what a client has missed up to where the channel stands by now.

        Raises:
            DatabaseAway: the log cannot be read now.
        """
        return await self._recover(channel, since, await self._heads.ask(channel))

    async def _recover(self, channel: str, since: Position | None, head: Head | None) -> Recovery:
        if head is None:
            return Recovery(None, NOWHERE, NOTHING if since is None else None)
        offsets = missed_since(since, head.position)
        if not offsets:
            return Recovery(head.stream_id, head.position, None if offsets is None else NOTHING)
        after, last = offsets[0] - 1, offsets[-1]
        page = await asyncio.shield(self._read(channel, head, after).task)
        return Recovery(head.stream_id, head.position, page.between(after, last))

    def _read(self, channel: str, head: Head, after: int) -> _Read:
        latest = self._reads.get(channel)
        if latest is not None and latest.take(head, after):
            metrics.RECOVERY_READS.labels(result="shared").inc()
            return latest
        metrics.RECOVERY_READS.labels(result="read").inc()
        read = self._reads[channel] = _Read(channel, head, after)
        read.task = asyncio.create_task(self._run(read, None if latest is None else latest.task))
        read.task.add_done_callback(lambda _: self._ended(read))
        return read

    async def _run(self, read: _Read, before: asyncio.Task[Page] | None) -> Page:
        if before is not None:
            await asyncio.wait({before})
            # It holds what it has read.
            del before
        return await self._pages.ask(read)

    def _ended(self, read: _Read) -> None:
        if self._reads.get(read.channel) is read:
            del self._reads[read.channel]
        if not read.task.cancelled():
            # Asked for, so that a failure is not reported as forgotten when all have gone.
            read.task.exception()


class _Read:
    """One read of a channel's log, for all who ask before it begins."""

    # Its outcome.
    task: asyncio.Task[Page]

    def __init__(self, channel: str, head: Head, after: int) -> None:
        self.channel = channel
        # How far it goes, and from where.
        self._head = head
        self._after = after
        # It begins in a thread, while others may ask.
        self._lock = Lock()
        self._has_begun = False

    def take(self, head: Head, after: int) -> bool:
        """Go that far, for one more; False where it has begun, or reads another numbering."""
        with self._lock:
            if self._has_begun or not _is_same(head, self._head):
                return False
            self._after = min(self._after, after)
            self._head = max(self._head, head, key=lambda each: each.position.offset)
            return True

    def page(self) -> Page:
        """Read, backwards: whoever has missed little gets it, however much others have missed."""
        with self._lock:
            self._has_begun = True
        last = self._head.position.offset
        rows = streams.read(
            self.channel,
            self._head.stream_id,
            self._head.position,
            after=last + 1,
            limit=last - self._after,
            byte_limit=RECOVERY_BYTES,
            reverse=True,
        )
        return Page(_without_hole(rows, last))


def lost(place: Position | None) -> Position | None:
    """Return a position that cannot be continued, for one that is not to be."""
    return None if place is None else Position("_", place.offset)


def _num_missed(since: Position | None, head: Head | None) -> int:
    return 0 if head is None else len(missed_since(since, head.position) or ())


def _is_same(head: Head, other: Head) -> bool:
    return (head.stream_id, head.position.epoch) == (other.stream_id, other.position.epoch)


def _without_hole(rows: Iterable[Published], last: int) -> Sequence[Published]:
    """Return in ascending order what comes in descending order, down to the first hole."""
    found: list[Published] = []
    for row in rows:
        if row.offset != last - len(found):
            break
        found.append(row)
    found.reverse()
    return found


def _pages(reads: Sequence[_Read]) -> list[Page | Exception]:
    return [read.page() for read in reads]


def _heads(channels: Sequence[str]) -> list[Head | Exception | None]:
    found = heads_of(set(channels))
    return [found.get(channel) for channel in channels]
