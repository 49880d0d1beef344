"""
Reading ahead, where another server than ours brings the frames.

Commands are done one after the other, and some take long. A pong that waited behind them would be
late through no fault of its client's. Our own transport hears pongs when they arrive; elsewhere a
task reads what comes before it is its turn, and hears them then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from services.gateway.centrifuge.commands import PONG
from services.gateway.refusal import Receive

__all__ = ["Ahead"]

# Frames that may wait here; the others wait with the server.
_FRAMES = 32
_GONE = {"type": "websocket.disconnect", "code": 1006}


class Ahead:
    """An ASGI `receive` that has heard the pongs in what it has not given yet."""

    def __init__(self, receive: Receive, take_pong: Callable[[], bool]) -> None:
        """
        Read from now on, until `stop`.

        Args:
            receive: the server's.
            take_pong: is told of a pong, and returns whether somebody has waited for it.
        """
        self._receive = receive
        self._take_pong = take_pong
        self._read: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_FRAMES)
        self._task = asyncio.create_task(self._go())

    async def receive(self) -> dict[str, Any]:
        """Wait for the next message, and return it."""
        return await self._read.get()

    @property
    def is_full(self) -> bool:
        """Whether more may wait with the server."""
        return self._read.full()

    def stop(self) -> None:
        """Read no longer."""
        self._task.cancel()

    async def _go(self) -> None:
        message: dict[str, Any] = {}
        while message.get("type") != "websocket.disconnect":
            try:
                message = await self._receive()
            except Exception:
                # A server that fails has nothing more to bring.
                message = _GONE
            if message.get("text") != PONG or not self._take_pong():
                await self._read.put(message)
