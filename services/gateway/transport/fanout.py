"""
Fan-out: one frame to all members of a group, at the price of one system call each.

Frames that meet in one turn of the event loop go out together, from the next turn on, a few
sockets at a time. Whatever else is sent to a member meanwhile finds the frames before it already
sent to that one: it `catch_up`s, and is ahead of the others until the group has sent them, too.

    publish -> waiting -> one Round at a time: slices of the idle members, then the late ones
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from services.gateway.transport.frames import text_frame
from services.gateway.transport.rounds import Round
from services.gateway.transport.slots import HOLE, Slots
from services.gateway.transport.turns import Turns
from services.gateway.transport.wire import Wire
from shared.telemetry import metrics

__all__ = ["FanOutGroup", "Member"]

# What is written at once: the rest of a short write goes into a buffer, whatever its bound.
_BLOB_BYTES = 128 * 1024
# A group this small is written to at once, as nothing is won by waiting for more.
_FEW = 8


class Member(Protocol):
    """What a group needs of a connection."""

    @property
    def wire(self) -> Wire | None:
        """The socket, or None where frames take the long way."""

    def send(self, frame: str) -> None:
        """Take one frame; never wait, never raise."""

    def send_catch_up(self, frames: Sequence[str]) -> None:
        """Take what was missed, in one step; it does not count as too much at once."""


class FanOutGroup:
    """The connections here that get everything of one channel."""

    __slots__ = (
        "_ahead",
        "_busy",
        "_idle",
        "_is_due",
        "_latency",
        "_others",
        "_round",
        "_sent",
        "_turns",
        "_waiting",
    )

    def __init__(self, kind: str, turns: Turns | None = None) -> None:
        """
        Take what the group shares with others.

        Args:
            kind: the namespace's name, for metrics.
            turns: those of all groups in this event loop; None where it is the only one.
        """
        # Found once: to look a label up costs as much as a write.
        self._sent = metrics.MESSAGES_SENT.labels(kind=kind)
        self._latency = metrics.DELIVERY_LATENCY.labels(kind=kind)
        self._turns = turns or Turns()
        # Members without a wire, each with a queue of its own.
        self._others: set[Member] = set()
        self._idle = Slots()
        self._busy: set[Wire] = set()
        # A list: each user has a channel, and an empty deque takes 0.7 KB.
        self._waiting: list[tuple[bytes, float | None]] = []
        # How many of the waiting frames a wire has got already.
        self._ahead: dict[Wire, int] = {}
        self._round: Round | None = None
        self._is_due = False

    def __len__(self) -> int:
        return len(self._others) + len(self._idle) + len(self._busy)

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
        wires = len(self._idle) + len(self._busy)
        if not wires:
            self._observe([stamp])
            return
        frame = text_frame(payload.encode())
        metrics.SENT_BYTES.inc(len(frame) * wires)
        self._waiting.append((frame, stamp))
        if self._round is not None or self._is_due:
            return
        if wires > _FEW or self._go_on():
            self._is_due = True
            self._turns.add(self._go_on)

    # -- what wires tell --

    def add(self, wire: Wire) -> None:
        """Take a wire in; what is waiting was given to it by other means."""
        if self._waiting:
            self._ahead[wire] = len(self._waiting)
            wire.ahead += 1
        if wire.is_busy:
            self._busy.add(wire)
        else:
            self._idle.put(wire)

    def remove(self, wire: Wire) -> None:
        """Forget a wire, whatever it has not got."""
        if self._take(wire) == HOLE:
            self._busy.discard(wire)
        if self._ahead.pop(wire, None) is not None:
            wire.ahead -= 1
        if self._round is not None:
            self._round.forget(wire)

    def busied(self, wire: Wire) -> None:
        """Stop writing to a wire's socket."""
        slot = self._take(wire)
        self._busy.add(wire)
        if self._round is not None:
            self._round.left(wire, slot)

    def idled(self, wire: Wire) -> None:
        """Write to a wire's socket again."""
        self._busy.discard(wire)
        self._idle.put(wire)

    def catch_up(self, wire: Wire) -> None:
        """Give one wire all that is on its way to the members."""
        current = self._round
        is_late = current is not None and current.is_yet_to_reach(wire)
        had = self._ahead.get(wire, 0)
        if not is_late and had == len(self._waiting):
            return
        wire.make_busy()
        if current is not None:
            current.catch_up(wire)
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

    def _take(self, wire: Wire) -> int:
        return self._idle.take(wire, and_leave_a_hole=self._round is not None)

    # -- rounds --

    def _go_on(self) -> bool:
        """Do the next step of what there is to do; return whether there is more."""
        if self._round is None and self._waiting:
            self._round = self._begin()
        if (current := self._round) is not None:
            current.go_on()
            if current.is_over:
                self._round = None
                self._idle.close_up()
                self._observe(current.stamps)
        self._is_due = self._round is not None or bool(self._waiting)
        return self._is_due

    def _begin(self) -> Round:
        """Set out with what is waiting, or with as much of it as makes one write."""
        frames: list[bytes] = []
        stamps: list[float | None] = []
        size = 0
        for frame, stamp in self._waiting:
            if frames and size + len(frame) > _BLOB_BYTES:
                break
            frames.append(frame)
            stamps.append(stamp)
            size += len(frame)
        del self._waiting[: len(frames)]
        ahead = self._ahead
        self._ahead = {wire: had - len(frames) for wire, had in ahead.items() if had > len(frames)}
        for wire in ahead.keys() - self._ahead.keys():
            wire.ahead -= 1
        # Its end is fixed before anybody becomes idle: who does comes after it, and has all of it.
        current = Round(frames, stamps, self._idle)
        for wire in tuple(self._busy):
            if (had := ahead.get(wire, 0)) < len(frames):
                current.delay(wire, had)
            else:
                wire.make_idle()
        return current

    def _observe(self, stamps: list[float | None]) -> None:
        now = time.time()
        for stamp in stamps:
            if stamp is not None:
                self._latency.observe(max(0.0, now - stamp))


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
