"""
A connection's outgoing frames, which any part of the gateway adds.

On a wire they go to the socket at once; elsewhere they wait for one task that writes them.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.gateway.closecodes import CloseCode
from services.gateway.refusal import Send
from services.gateway.transport.frames import text_frame
from shared.telemetry import metrics

if TYPE_CHECKING:
    from services.gateway.transport.protocol import GatewayProtocol
    from services.gateway.transport.wire import Wire

__all__ = ["Outbox", "QueuedOutbox", "WireOutbox"]

_WAITING_CHARACTERS = 256 * 1024
_WAITING_SECONDS = 1.0
_MOST_CHARACTERS = 8 * 1024 * 1024


class Outbox(ABC):
    """Where a connection's frames go; after `close` they are dropped."""

    @property
    @abstractmethod
    def wire(self) -> Wire | None:
        """The socket that groups may write to themselves, where there is one."""

    @property
    @abstractmethod
    def is_closing(self) -> bool:
        """Whether the connection is being closed from this side."""

    @property
    @abstractmethod
    def closed_with(self) -> int | None:
        """The code with which it was closed from this side, for the books."""

    @abstractmethod
    def send(self, frame: str) -> None:
        """Add a frame."""

    @abstractmethod
    def send_catch_up(self, frames: Sequence[str]) -> None:
        """Add what was missed, in one step; it does not count as too much at once."""

    @property
    @abstractmethod
    def has_room(self) -> bool:
        """Whether the peer has taken most of what was added, or is gone."""

    @abstractmethod
    async def wait_for_room(self) -> None:
        """Wait until it has, or is."""

    @abstractmethod
    def close(self, code: int, reason: str = "") -> None:
        """
        Send what was added before, then close the connection.

        Args:
            code: why; 1003 or 3000-4999.
            reason: what the close frame says; by default the code's own words.
        """

    @abstractmethod
    def abandon(self) -> None:
        """Stop sending: the connection is gone."""


class WireOutbox(Outbox):
    """Gives frames to the socket, which has its own bound."""

    def __init__(self, protocol: GatewayProtocol, kind: str) -> None:
        self._protocol = protocol
        protocol.kind = kind

    @property
    def wire(self) -> Wire:
        return self._protocol

    @property
    def is_closing(self) -> bool:
        # Not where the client closes: what it sent before that is taken.
        return self._protocol.closed_with is not None

    @property
    def closed_with(self) -> int | None:
        return self._protocol.closed_with

    def send(self, frame: str) -> None:
        self._protocol.send(text_frame(frame.encode()))

    def send_catch_up(self, frames: Sequence[str]) -> None:
        self._protocol.send_granted([text_frame(frame.encode()) for frame in frames])

    @property
    def has_room(self) -> bool:
        return self._protocol.has_room

    async def wait_for_room(self) -> None:
        await self._protocol.wait_for_room()

    def close(self, code: int, reason: str = "") -> None:
        self._protocol.shut(code, reason or CloseCode(code).reason)

    def abandon(self) -> None:
        self._protocol.cut()


class QueuedOutbox(Outbox):
    """
    Keeps frames in the order they were added, and bounds how many wait.

    A reader with 256 KiB waiting for longer than a second, or 8 MiB at once, is closed with 3008;
    it comes back and recovers, and nobody else waits for it. A burst alone is no slow reader: a
    catch-up of half a megabyte is put in here in one step, and written in the next.
    """

    def __init__(self, send: Send, kind: str) -> None:
        self._kind = kind
        self._send = send
        self._frames: deque[str] = deque()
        self._characters = 0
        self._closing: tuple[int, str] | None = None
        self._wake = asyncio.Event()
        # Pending while more waits than should.
        self._judgement: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._write())
        self._closed_with: int | None = None

    @property
    def wire(self) -> None:
        return None

    @property
    def is_closing(self) -> bool:
        return self._closing is not None

    @property
    def closed_with(self) -> int | None:
        return self._closed_with

    def send_catch_up(self, frames: Sequence[str]) -> None:
        for frame in frames:
            self.send(frame)

    def send(self, frame: str) -> None:
        if self._closing is not None:
            return
        self._frames.append(frame)
        self._characters += len(frame)
        self._wake.set()
        if self._characters > _MOST_CHARACTERS:
            self._give_up()
        elif self._characters > _WAITING_CHARACTERS and self._judgement is None:
            loop = asyncio.get_running_loop()
            self._judgement = loop.call_later(_WAITING_SECONDS, self._judge)

    @property
    def has_room(self) -> bool:
        """A second with too much is the bound here."""
        return True

    async def wait_for_room(self) -> None:
        """Wait for nothing."""

    def close(self, code: int, reason: str = "") -> None:
        if self._closing is None:
            self._closing = code, reason or CloseCode(code).reason
            self._wake.set()

    def abandon(self) -> None:
        if self._closing is None:
            self._closing = CloseCode.INTERNAL_ERROR, ""
        if self._judgement is not None:
            self._judgement.cancel()
        self._task.cancel()

    def _judge(self) -> None:
        self._judgement = None
        if self._characters > _WAITING_CHARACTERS and self._closing is None:
            self._give_up()

    def _give_up(self) -> None:
        metrics.MESSAGES_DROPPED.labels(kind=self._kind, reason="slow_consumer").inc(
            len(self._frames)
        )
        self._frames.clear()
        self._characters = 0
        self.close(CloseCode.SLOW)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._frames:
                frame = self._frames.popleft()
                self._characters -= len(frame)
                await self._send({"type": "websocket.send", "text": frame})
            if self._closing is not None:
                self._closed_with, reason = self._closing
                close = {"type": "websocket.close", "code": int(self._closed_with)}
                await self._send({**close, "reason": reason})
                return
