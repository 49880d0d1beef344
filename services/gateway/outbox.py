"""A connection's outgoing frames: any part of the gateway adds them, one task writes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from services.gateway.closecodes import CloseCode
from shared.telemetry import metrics

__all__ = ["Outbox"]

_WAITING_CHARACTERS = 256 * 1024
_WAITING_SECONDS = 1.0
_MOST_CHARACTERS = 8 * 1024 * 1024

type Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Outbox:
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
        self._closing: CloseCode | None = None
        self._wake = asyncio.Event()
        # Pending while more waits than should.
        self._judgement: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._write())
        # What the connection was closed with from this side, for the books.
        self.closed_with: CloseCode | None = None

    @property
    def is_closing(self) -> bool:
        """Whether the connection is being closed from this side."""
        return self._closing is not None

    def send(self, frame: str) -> None:
        """Add a frame; after `close` it is dropped."""
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

    def close(self, code: CloseCode) -> None:
        """Write what was added before, then close the connection."""
        if self._closing is None:
            self._closing = code
            self._wake.set()

    def abandon(self) -> None:
        """Stop writing: the connection is gone."""
        if self._closing is None:
            self._closing = CloseCode.INTERNAL_ERROR
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
                self.closed_with = self._closing
                await self._send(
                    {
                        "type": "websocket.close",
                        "code": int(self._closing),
                        "reason": self._closing.reason,
                    }
                )
                return
