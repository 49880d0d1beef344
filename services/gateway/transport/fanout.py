"""
Fan-out: one frame to all members of a group, at the price of one system call each.

Frames that meet in one turn of the event loop go out together, in the next turn, a slice of the
sockets at a time. Whatever else is sent to a member meanwhile finds the frames before it already
sent to that one: it `catch_up`s, and is ahead of the others until the group has sent them, too.

    publish -> waiting -> one Round at a time: busy members, then slices of the idle ones
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from services.gateway.transport.frames import text_frame
from services.gateway.transport.wire import Wire
from shared.telemetry import metrics

__all__ = ["FanOutGroup", "Member"]

logger = logging.getLogger(__name__)

# Sockets that are written to in one turn of the event loop; about 8 ms.
_SLICE = 1_000
# What is written at once: the rest of a short write goes into a buffer, whatever its bound.
_BLOB_BYTES = 128 * 1024
# A group this small is written to at once, as nothing is won by waiting for more.
_FEW = 8
# The place of a member that left while a round was under way.
_HOLE = -1


class Member(Protocol):
    """What a group needs of a connection."""

    @property
    def wire(self) -> Wire | None:
        """The socket, or None where frames take the long way."""

    def send(self, frame: str) -> None:
        """Take one frame; never wait, never raise."""

    def send_catch_up(self, frames: Sequence[str]) -> None:
        """Take what was missed, in one step; it does not count as too much at once."""


class _Round:
    """Frames on their way to the members that were idle when it began."""

    __slots__ = ("blob", "cursor", "end", "late", "stamps")

    def __init__(self, blob: bytes, stamps: list[float | None], end: int) -> None:
        self.blob = blob
        self.stamps = stamps
        # The members in slots from `cursor` to `end` have not got it yet,
        self.cursor = 0
        self.end = end
        # nor have these, who have left their slots before it came to them. In order, as a dict.
        self.late: dict[Wire, None] = {}


class FanOutGroup:
    """The connections here that get everything of one channel."""

    def __init__(self, kind: str) -> None:
        """Take the namespace's name, for metrics."""
        # Found once: to look a label up costs as much as a write.
        self._sent = metrics.MESSAGES_SENT.labels(kind=kind)
        self._latency = metrics.DELIVERY_LATENCY.labels(kind=kind)
        # Members without a wire, each with a queue of its own.
        self._others: set[Member] = set()
        # Idle wires, their descriptors beside them: a loop that touches only the array is twice as
        # quick as one over objects.
        self._idle: list[Wire | None] = []
        self._descriptors = array("i")
        self._slots: dict[Wire, int] = {}
        # Slots that were left while a round was under way.
        self._holes: list[int] = []
        self._busy: set[Wire] = set()
        self._waiting: deque[tuple[bytes, float | None]] = deque()
        # How many of the waiting frames a wire has got already.
        self._ahead: dict[Wire, int] = {}
        self._round: _Round | None = None
        self._is_due = False

    def __len__(self) -> int:
        return len(self._others) + len(self._slots) + len(self._busy)

    @property
    def has_waiting(self) -> bool:
        """Whether frames wait for the next turn of the event loop."""
        return bool(self._waiting)

    def join(self, member: Member) -> None:
        """Add a connection that stands exactly where the channel does."""
        if member.wire is None:
            self._others.add(member)
        else:
            member.wire.join(self)

    def leave(self, member: Member) -> None:
        """Remove a connection; one that is not here changes nothing."""
        if member.wire is None:
            self._others.discard(member)
        else:
            member.wire.leave(self)

    def publish(self, payload: str, stamp: float | None = None) -> None:
        """
        Give every member the same text.

        Args:
            payload: the frame's text.
            stamp: when it was published, by time.time(); None where it is no publication, and
                not to be counted as one.
        """
        if stamp is not None:
            self._sent.inc(len(self))
        for other in self._others:
            other.send(payload)
        if not self._slots and not self._busy:
            self._observe([stamp])
            return
        frame = text_frame(payload.encode())
        metrics.SENT_BYTES.inc(len(frame) * (len(self._slots) + len(self._busy)))
        self._waiting.append((frame, stamp))
        if self._round is not None or self._is_due:
            return
        if len(self._slots) + len(self._busy) <= _FEW:
            self._begin()
        else:
            self._come_back()

    # -- what wires tell --

    def add(self, wire: Wire) -> None:
        """Take a wire in; what is waiting was given to it by other means."""
        if self._waiting:
            self._ahead[wire] = len(self._waiting)
            wire.ahead += 1
        if wire.is_busy:
            self._busy.add(wire)
        else:
            self._put(wire)

    def remove(self, wire: Wire) -> None:
        """Forget a wire, whatever it has not got."""
        if self._take(wire) is None:
            self._busy.discard(wire)
        if self._ahead.pop(wire, None) is not None:
            wire.ahead -= 1
        if self._round is not None:
            self._round.late.pop(wire, None)

    def busied(self, wire: Wire) -> None:
        """Stop writing to a wire's socket."""
        slot = self._take(wire)
        self._busy.add(wire)
        current = self._round
        if slot is not None and current is not None and current.cursor <= slot < current.end:
            current.late[wire] = None

    def idled(self, wire: Wire) -> None:
        """Write to a wire's socket again."""
        self._busy.discard(wire)
        self._put(wire)

    def catch_up(self, wire: Wire) -> None:
        """Give one wire all that is on its way to the members."""
        current = self._round
        on_its_way = current is not None and (
            wire in current.late or current.cursor <= self._slots.get(wire, _HOLE) < current.end
        )
        had = self._ahead.get(wire, 0)
        if not on_its_way and had == len(self._waiting):
            return
        wire.make_busy()
        if current is not None and wire in current.late:
            del current.late[wire]
            wire.write_within_bound(current.blob)
        if wire.is_cut or had == len(self._waiting):
            return
        if not had:
            wire.ahead += 1
        self._ahead[wire] = len(self._waiting)
        # In parts: a reader that takes each of them in time is not slow, however many there are.
        for blob in _blobs(frame for frame, _ in islice(self._waiting, had, None)):
            wire.write_within_bound(blob)
            if wire.is_cut:
                return

    # -- rounds --

    def _come_back(self) -> None:
        self._is_due = True
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_due = False
        if self._round is not None:
            self._write_slice(self._round)
        elif self._waiting:
            self._begin()

    def _begin(self) -> None:
        """Send what is waiting, or as much of it as makes one write, to everybody."""
        frames: list[bytes] = []
        stamps: list[float | None] = []
        size = 0
        while self._waiting and (not frames or size + len(self._waiting[0][0]) <= _BLOB_BYTES):
            frame, stamp = self._waiting.popleft()
            frames.append(frame)
            stamps.append(stamp)
            size += len(frame)
        ahead = self._ahead
        self._ahead = {wire: had - len(frames) for wire, had in ahead.items() if had > len(frames)}
        for wire in ahead.keys() - self._ahead.keys():
            wire.ahead -= 1
        blob = b"".join(frames)
        # Its end is fixed before anybody becomes idle: who does comes after it, and has the blob.
        self._round = _Round(blob, stamps, len(self._descriptors))
        for wire in tuple(self._busy):
            had = ahead.get(wire, 0)
            if wire.is_cut:
                continue
            if had >= len(frames):
                wire.make_idle()
            else:
                rest = b"".join(frames[had:]) if had else blob
                _attempt(wire, wire.write_within_bound, rest)
        self._write_slice(self._round)

    def _write_slice(self, current: _Round) -> None:
        blob, size, write = current.blob, len(current.blob), os.write
        first, current.cursor = current.cursor, min(current.end, current.cursor + _SLICE)
        # Nothing in this loop may change the arrays, so what needs care comes after it.
        short: list[tuple[int, int]] = []
        slot = first
        for descriptor in self._descriptors[first : current.cursor]:
            if descriptor != _HOLE:
                try:
                    if (written := write(descriptor, blob)) != size:
                        short.append((slot, written))
                except OSError:
                    # The socket is full, or broken, which the transport finds out when it tries.
                    short.append((slot, 0))
            slot += 1
        for wire, written in [(self._idle[slot], written) for slot, written in short]:
            if wire is not None:
                # Half a frame may be out: what is left of it must follow, bound or not.
                _attempt(wire, wire.write, blob[written:])
        if current.cursor < current.end:
            self._come_back()
            return
        for wire in tuple(current.late):
            if wire in current.late:
                del current.late[wire]
                _attempt(wire, wire.write_within_bound, blob)
        self._round = None
        # From the last one on: what stands at the end is then a wire, or the hole itself.
        for slot in sorted(self._holes, reverse=True):
            self._close_up(slot)
        self._holes.clear()
        self._observe(current.stamps)
        if self._waiting:
            self._come_back()

    def _observe(self, stamps: list[float | None]) -> None:
        now = time.time()
        for stamp in stamps:
            if stamp is not None:
                self._latency.observe(max(0.0, now - stamp))

    # -- slots --

    def _put(self, wire: Wire) -> None:
        self._slots[wire] = len(self._idle)
        self._idle.append(wire)
        self._descriptors.append(wire.descriptor())

    def _take(self, wire: Wire) -> int | None:
        """Take a wire out of its slot and return that; None when it had none."""
        slot = self._slots.pop(wire, None)
        if slot is None:
            return None
        if self._round is not None:
            # The round walks by slots: nobody moves while it is under way.
            self._idle[slot] = None
            self._descriptors[slot] = _HOLE
            self._holes.append(slot)
        else:
            self._close_up(slot)
        return slot

    def _close_up(self, slot: int) -> None:
        """Have the last wire fill a slot that was left."""
        last, descriptor = self._idle.pop(), self._descriptors.pop()
        if slot < len(self._idle):
            assert last is not None, "holes are closed from the last one on"
            self._idle[slot], self._descriptors[slot] = last, descriptor
            self._slots[last] = slot


def _blobs(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Join frames to writes of a size that a buffer may take at once."""
    joined: list[bytes] = []
    size = 0
    for frame in frames:
        if joined and size + len(frame) > _BLOB_BYTES:
            yield b"".join(joined)
            joined, size = [], 0
        joined.append(frame)
        size += len(frame)
    yield b"".join(joined)


def _attempt(wire: Wire, write: Callable[[bytes], None], data: bytes) -> None:
    """Write to one wire; what fails there must not keep a round from the others, or from ending."""
    try:
        write(data)
    except Exception:
        logger.exception("A connection could not be written to, and is dropped.")
        wire.cut()
        asyncio.get_running_loop().call_soon(wire.drop)
