"""Reading a channel's log: pages of history, and what a returning client has missed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from shared.broker.wire import Published
from shared.realtime import streams
from shared.realtime.exceptions import UnrecoverablePosition
from shared.realtime.namespaces import namespace_of
from shared.realtime.positions import NOWHERE, Position

__all__ = [
    "RECOVERY_BYTES",
    "RECOVERY_PUBLICATIONS",
    "History",
    "Recovery",
    "heads_of",
    "history",
    "missed_since",
    "recover",
]

# Beyond either bound a returning client reads pages of history instead.
RECOVERY_PUBLICATIONS = 1_000
RECOVERY_BYTES = 512 * 1024
_ALL = 2**31


@dataclass(frozen=True, slots=True)
class History:
    """A page of a channel's log and where the log stood."""

    publications: list[Published]
    position: Position


@dataclass(frozen=True, slots=True)
class Recovery:
    """
    What to tell a client that comes back.

    Attributes:
        stream_id: the channel's stream; None for a channel without history, which has none.
        head: where the stream stood at the read.
        recovered: whether `publications` is all that the client missed, without a hole.
        publications: what it missed, in order; empty if not recovered.
    """

    stream_id: int | None
    head: Position
    recovered: bool
    publications: list[Published]


def history(
    channel: str,
    *,
    since: Position | None = None,
    limit: int = -1,
    byte_limit: int | None = None,
    reverse: bool = False,
) -> History:
    """
    Return publications after `since`, oldest first; with `reverse` before it, newest first.

    Args:
        channel: the channel to read.
        since: exclusive; None means from the beginning, or with `reverse` from the head.
        limit: 0 for the position alone, -1 for all there is, n for at most n.
        byte_limit: of the data; there are fewer publications then, but one at least.
        reverse: newest first.

    Raises:
        UnrecoverablePosition: `since` has another epoch than the stream.
        ValueError: a reversed read before offset 0, or a limit below -1.
    """
    if limit < -1:
        raise ValueError("limit is -1 for all, 0 for the position alone, or a number.")
    if reverse and since is not None and since.offset == 0:
        raise ValueError("Nothing stands before offset 0.")
    found = streams.touch(channel)
    if since is not None and since.epoch and since.epoch != found.position.epoch:
        raise UnrecoverablePosition(channel)
    if limit == 0:
        return History([], found.position)
    if since is not None:
        after = since.offset
    else:
        after = found.position.offset + 1 if reverse else 0
    rows = streams.read(
        channel,
        found.stream_id,
        found.position,
        after=after,
        limit=_ALL if limit == -1 else limit,
        byte_limit=byte_limit,
        reverse=reverse,
    )
    return History(rows, found.position)


def recover(channel: str, since: Position | None) -> Recovery:
    """
    Return what a client has missed since its position, all of it or nothing.

    With None there is nothing to recover: the result is recovered, empty, at the head. A position
    with the epoch "" is one of whatever epoch the stream has. Gateways do the same for many clients
    at once, who share what is read (services/gateway/recoveries.py).
    """
    found = heads_of([channel]).get(channel)
    if found is None:
        return Recovery(None, NOWHERE, since is None, [])
    head = found.position
    offsets = missed_since(since, head)
    if not offsets:
        return Recovery(found.stream_id, head, offsets is not None, [])
    rows = streams.read(
        channel,
        found.stream_id,
        head,
        after=offsets[0] - 1,
        limit=len(offsets),
        byte_limit=RECOVERY_BYTES,
    )
    # Offsets only grow by one, so as many rows as offsets are missing means there is no hole.
    if len(rows) != len(offsets):
        return Recovery(found.stream_id, head, False, [])
    return Recovery(found.stream_id, head, True, rows)


def heads_of(channels: Collection[str]) -> dict[str, streams.Head]:
    """Return where channels stand, in one statement; without those of which nothing is kept."""
    kept = {channel for channel in channels if namespace_of(channel).history_size > 0}
    return streams.touch_many(kept) if kept else {}


def missed_since(since: Position | None, head: Position) -> range | None:
    """
    Return the offsets that a client has missed; None where they cannot be told.

    Args:
        since: where it stood, the epoch "" for that of now; None where it asks for nothing.
        head: where the stream stands.
    """
    if since is None:
        return range(0)
    missed = head.offset - since.offset
    if since.epoch not in ("", head.epoch) or not 0 <= missed <= RECOVERY_PUBLICATIONS:
        return None
    return range(since.offset + 1, head.offset + 1)
