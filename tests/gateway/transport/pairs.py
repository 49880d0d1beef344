"""Wires over socket pairs, for groups without a server; and what each must have been sent."""

from __future__ import annotations

import asyncio
import os
import socket

from services.gateway.transport.fanout import FanOutGroup
from services.gateway.transport.frames import text_frame
from services.gateway.transport.wire import Wire

__all__ = ["PairWire", "Script"]

# The kernel makes at least this of it: a few frames.
_SEND_BUFFER = 4608


class PairWire(Wire):
    """
    One end of a socket pair, with a buffer as a transport has one.

    Attributes:
        received: what was read at the other end.
        is_lost: whether the socket was found broken.
        is_dropped: whether writing to it had failed with an error of ours.
    """

    # What groups ask of a member.
    @property
    def wire(self) -> PairWire:
        return self

    def __init__(self, loop: asyncio.AbstractEventLoop, bound: int = 256 * 1024) -> None:
        self._loop, self._bound = loop, bound
        self._ours, self._theirs = socket.socketpair()
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        # Takes the descriptor's place when the wire is cut.
        self._next, self._canary = socket.socketpair()
        self._canary.setblocking(False)
        self._buffer = bytearray()
        self.received = bytearray()
        self.is_lost = self.is_dropped = False

    def descriptor(self) -> int:
        return self._ours.fileno()

    def unsent(self) -> int:
        return len(self._buffer)

    def write(self, data: bytes) -> None:
        assert not self.is_cut, "nothing is written to a wire that was cut"
        assert data, "a write has something to write"
        if not self._buffer:
            self._loop.add_writer(self._ours, self._drain)
        self._buffer += data
        self.make_busy()

    def write_within_bound(self, data: bytes) -> None:
        assert not self.is_cut, "nothing is written to a wire that was cut"
        if self._is_too_much(data):
            self._drain()
            if self.is_cut:
                return
            if self._is_too_much(data):
                self.cut()
                return
        self.write(data)

    def drop(self) -> None:
        self.is_dropped = True
        self.cut()
        self._theirs.close()

    def cut(self) -> None:
        if not self.is_cut:
            super().cut()
            self._loop.remove_writer(self._ours)
            self._buffer.clear()
            # The connection is closed, and the next one gets its number.
            os.dup2(self._next.fileno(), self._ours.fileno())

    def read(self, most: int = 1 << 20) -> None:
        """Take what has arrived at the other end."""
        while most > 0:
            try:
                data = self._theirs.recv(min(most, 1 << 16))
            except (BlockingIOError, ConnectionResetError):
                return
            if not data:
                return
            self.received += data
            most -= len(data)

    def vanish(self) -> None:
        """Close the other end."""
        self._theirs.close()
        self.is_lost = True

    def nobody_else_was_written_to(self) -> bool:
        """Say whether the connection that got the descriptor afterwards has got nothing."""
        try:
            return not self._canary.recv(1)
        except BlockingIOError:
            return True

    def close(self) -> None:
        if not self.is_cut:
            self.cut()
        for each in (self._ours, self._theirs, self._next, self._canary):
            each.close()

    def _is_too_much(self, data: bytes) -> bool:
        return bool(self._buffer) and len(self._buffer) + len(data) > self._bound

    def _drain(self) -> None:
        try:
            written = os.write(self._ours.fileno(), self._buffer)
        except BlockingIOError:
            return
        except OSError:
            self.is_lost = True
            self.cut()
            return
        del self._buffer[:written]
        if not self._buffer:
            self._loop.remove_writer(self._ours)
            self.make_idle()


class Script:
    """
    Everything one connection must get.

    Between two frames that are sent to it alone, those of each group come in their order; which of
    two groups is first is not laid down.
    """

    def __init__(self) -> None:
        self._scenes: list[tuple[dict[FanOutGroup, list[bytes]], bytes]] = []
        self._scene: dict[FanOutGroup, list[bytes]] = {}

    def published(self, group: FanOutGroup, text: str) -> None:
        self._scene.setdefault(group, []).append(text_frame(text.encode()))

    def sent(self, frame: bytes) -> None:
        """What its groups took before comes before it, and the rest after."""
        self._scenes.append((self._scene, frame))
        self._scene = {}

    def check(self, received: bytes, *, is_whole: bool = True) -> None:
        """
        Compare byte by byte.

        Args:
            received: what the connection got.
            is_whole: whether it must have got everything; else it may end anywhere.
        """
        at = 0
        for scene, alone in [*self._scenes, (self._scene, b"")]:
            waiting = {group: list(reversed(frames)) for group, frames in scene.items()}
            while waiting:
                group, at = _next(waiting, received, at, is_whole)
                if group is None:
                    return
                waiting[group].pop()
                if not waiting[group]:
                    del waiting[group]
            rest = received[at : at + len(alone)]
            if rest != alone:
                assert not is_whole, f"{alone!r} should follow, not {rest!r}"
                assert alone.startswith(rest), f"{alone!r} should follow, not {rest!r}"
                return
            at += len(alone)
        assert at == len(received), f"{bytes(received[at:])[:200]!r} was sent to nobody here"


def _next(
    waiting: dict[FanOutGroup, list[bytes]], received: bytes, at: int, is_whole: bool
) -> tuple[FanOutGroup | None, int]:
    """Return the group whose next frame stands here and where it ends; None at a broken end."""
    for group, frames in waiting.items():
        if received.startswith(frames[-1], at):
            return group, at + len(frames[-1])
    rest, frames_here = bytes(received[at:]), [frames[-1] for frames in waiting.values()]
    is_broken_end = any(frame.startswith(rest) for frame in frames_here)
    assert not is_whole, f"one of {frames_here!r} should follow, not {rest[:200]!r}"
    assert is_broken_end, f"one of {frames_here!r} should follow, not {rest[:200]!r}"
    return None, at
