"""A connection's output: how much of it may wait, who waits for it, and who is too slow."""

from __future__ import annotations

import asyncio
import time

from daphne.ws_protocol import WebSocketProtocol

from services.gateway.closecodes import CloseCode
from services.gateway.transport.wire import Wire
from shared.telemetry import metrics

__all__ = ["Output", "Room"]

_UNSENT_BYTES = 256 * 1024
# An application that sends one by one waits for its client from here on.
_PATIENT_BYTES = 64 * 1024
# Who has taken nothing for so long while bytes waited, and does not answer either, has stopped.
_STUCK_SECONDS = 2.0


class Output(Wire, WebSocketProtocol):
    """
    The part of a connection that sends.

    It is a wire, which groups write to, where its socket is ours (`is_fast`); elsewhere, as behind
    TLS, its application gets everything sent by ASGI messages alone.
    """

    # What its application serves on it, for metrics.
    kind = ""
    # Bytes of a catch-up, which do not count as too many while they wait.
    _granted = 0
    _is_watched = False
    _room: asyncio.Future[None] | None = None
    # Off the fast path: since when the transport wants nothing more, by time.monotonic().
    full_since: float | None = None

    def descriptor(self) -> int:
        return int(self.transport.fileno())

    def unsent(self) -> int:
        socket = self.transport
        return int(socket._tempDataLen + len(socket.dataBuffer) - socket.offset)

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def write_within_bound(self, data: bytes) -> None:
        while self._is_too_much(data):
            # Perhaps it only was not its turn: what ASGI sends in one tick waits for the next.
            before = self.unsent()
            self.transport.reactor._readOrWrite(self.transport, False)
            if self.is_cut:
                return
            if self.unsent() == before:
                self.give_up()
                return
        self.transport.write(data)

    def drop(self) -> None:
        self.cut()
        self.transport.abortConnection()

    def cut(self) -> None:
        super().cut()
        self.let_in()

    def send_granted(self, frames: list[bytes]) -> None:
        """Send a catch-up, which does not count as too much while it is on its way."""
        if self.is_cut:
            return
        self.catch_up()
        if self.is_cut:
            return
        data = b"".join(frames)
        metrics.SENT_BYTES.inc(len(data))
        self._granted += len(data)
        self.transport.write(data)

    def _is_too_much(self, data: bytes) -> bool:
        waiting = self.unsent() - self._granted
        # What is too long by itself is no fault of the reader's.
        return waiting > 0 and waiting + len(data) > _UNSENT_BYTES

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        # Pings and pongs, of which a client can ask for any number.
        if self.is_fast and not self.is_cut:
            self.send(data)
        else:
            super().sendData(data, sync, chopsize)

    # -- readers that are too slow --

    def give_up(self) -> None:
        """Close, because the peer does not take what it is sent."""
        if self.kind:
            # Elsewhere a `QueuedOutbox` counts what it had to drop.
            metrics.MESSAGES_DROPPED.labels(kind=self.kind, reason="slow_consumer").inc()
        self.cut()
        self.shut(CloseCode.SLOW, CloseCode.SLOW.reason)

    def drained(self) -> None:
        """Be told that the socket took all that waited."""
        self._granted = 0
        self.make_idle()
        self.let_in()

    def watch_stall(self) -> None:
        """See that the peer takes something in time, for as long as bytes wait."""
        if not self._is_watched:
            self._is_watched = True
            self.server.clocks.stalls.add(self)

    def judge_stall(self) -> None:
        """Close where nothing was taken for too long."""
        self._is_watched = False
        if not self.is_busy or self.is_cut or not self.unsent():
            return
        # No further attempt: a kernel that asks for nothing still takes some when it is tried.
        if time.monotonic() - self.transport.took_at >= self.server.clocks.stall_seconds:
            self.give_up()
        else:
            self.watch_stall()

    @property
    def is_stuck(self) -> bool:
        """Whether bytes wait of which the peer has taken none for a moment, or not all."""
        if self.is_fast:
            since = self.transport.took_at if self.unsent() else None
        else:
            since = self.full_since
        return since is not None and time.monotonic() - since >= _STUCK_SECONDS

    # -- applications that wait --

    @property
    def is_awaited(self) -> bool:
        """Whether the application waits for the client to take what it was sent."""
        return self._room is not None

    @property
    def has_room(self) -> bool:
        """Whether the client has taken most of what it was sent, or is gone."""
        return self.is_cut or not self._is_crowded()

    async def wait_for_room(self) -> None:
        """Wait until the client has taken most of what it was sent, or is gone."""
        while not self.has_room:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            try:
                # On the fast path stalls are watched; here nobody else would notice.
                limit = None if self.is_fast else self.server.clocks.stall_seconds
                async with asyncio.timeout(limit):
                    await asyncio.shield(self._room)
            except TimeoutError:
                self.give_up()

    def _is_crowded(self) -> bool:
        return self.unsent() > _PATIENT_BYTES if self.is_fast else self.full_since is not None

    def let_in(self) -> None:
        """Let the application send again."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None


class Room:
    """A producer in Twisted's words: what a transport tells, that has more or less to send."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def pauseProducing(self) -> None:
        # Twisted says it again with each write.
        if self._output.full_since is None:
            self._output.full_since = time.monotonic()

    def resumeProducing(self) -> None:
        self._output.full_since = None
        self._output.let_in()

    def stopProducing(self) -> None:
        self.resumeProducing()
