"""Rounds: some frames on their way to all members of a group, a few sockets at a time."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from itertools import islice

from services.gateway.transport.slots import HOLE, Slots
from services.gateway.transport.wire import Wire

__all__ = ["Round"]

logger = logging.getLogger(__name__)

# Sockets, and bytes for all of them, that are written in one step: 1 to 3 ms. It is 8 ms where all
# of these are full, as each then goes through its transport.
_SLICE = 100
_SLICE_BYTES = 8 * 1024 * 1024
# Late members of one step, which go through their transports as well.
_LATE_SLICE = 50


class Round:
    """Frames on their way to those who were members when it began."""

    def __init__(self, frames: list[bytes], stamps: list[float | None], slots: Slots) -> None:
        """
        Begin with the slots that are taken now.

        Args:
            frames: what goes out, in one write to each.
            stamps: when each frame was published, None where it is no publication.
            slots: the idle members; nobody may move there until the round `is_over`.
        """
        self.stamps = stamps
        self._frames = frames
        self._blob = b"".join(frames)
        self._slots = slots
        # The members in slots from `cursor` to `end` have not got it yet,
        self._cursor = 0
        self._end = slots.end
        # nor have these, who were busy then or have left their slots since. How many of the frames
        # each has had; in order, as a dict.
        self._late: dict[Wire, int] = {}

    @property
    def is_over(self) -> bool:
        """Whether everybody has got it."""
        return self._cursor >= self._end and not self._late

    def is_yet_to_reach(self, wire: Wire) -> bool:
        """Whether a member has not got it."""
        return wire in self._late or self._is_ahead(self._slots.find(wire))

    def delay(self, wire: Wire, had: int = 0) -> None:
        """Come to a busy member in the end; it has had that many of the frames."""
        self._late[wire] = had

    def left(self, wire: Wire, slot: int) -> None:
        """Be told that a member left its slot, and is busy now."""
        if self._is_ahead(slot):
            self._late[wire] = 0

    def forget(self, wire: Wire) -> None:
        """Leave a member out."""
        self._late.pop(wire, None)

    def catch_up(self, wire: Wire) -> None:
        """Write to a busy member now, unless it has got everything."""
        if wire in self._late:
            wire.write_within_bound(self._rest(wire))

    def go_on(self) -> None:
        """Write to the next few members."""
        if self._cursor < self._end:
            self._write_slice()
        else:
            for wire in list(islice(self._late, _LATE_SLICE)):
                # What one does may have ended another.
                if wire in self._late:
                    _attempt(wire, wire.write_within_bound, self._rest(wire))

    def _is_ahead(self, slot: int) -> bool:
        return self._cursor <= slot < self._end

    def _rest(self, wire: Wire) -> bytes:
        had = self._late.pop(wire)
        return b"".join(self._frames[had:]) if had else self._blob

    def _write_slice(self) -> None:
        blob, size, write = self._blob, len(self._blob), os.write
        length = max(1, min(_SLICE, _SLICE_BYTES // size))
        first, self._cursor = self._cursor, min(self._end, self._cursor + length)
        # Nothing in this loop may change the slots, so what needs care comes after it.
        short: list[tuple[int, int]] = []
        slot = first
        for descriptor in self._slots.descriptors[first : self._cursor]:
            if descriptor != HOLE:
                try:
                    if (written := write(descriptor, blob)) != size:
                        short.append((slot, written))
                except OSError:
                    # The socket is full, or broken, which the transport finds out when it tries.
                    short.append((slot, 0))
            slot += 1
        for wire, written in [(self._slots.wires[slot], written) for slot, written in short]:
            if wire is not None:
                # Half a frame may be out: what is left of it must follow, bound or not.
                _attempt(wire, wire.write, blob[written:])


def _attempt(wire: Wire, write: Callable[[bytes], None], data: bytes) -> None:
    """Write to one wire; what fails there must not keep a round from the others, or from ending."""
    try:
        write(data)
    except Exception:
        logger.exception("A connection could not be written to, and is dropped.")
        wire.cut()
        asyncio.get_running_loop().call_soon(wire.drop)
