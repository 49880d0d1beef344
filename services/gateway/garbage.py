"""
Garbage: when the memory of closed connections is collected.

A connection under Daphne is a knot of objects that refer to each other, about 175 of them, which
only a full collection frees. Python collects on growth: while 5,000 connections arrive it stops the
event loop again and again, at last for 0.9 s, and finds nothing, because none has left. Here a
collection follows connections that have ended, and nothing else.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from services.gateway.allocator import give_back
from services.gateway.handshake import Application

__all__ = ["Garbage"]

# New objects, 10,000 at a time, and after five times those of them that stay: at most 50 ms.
_YOUNG = (10_000, 5)
# Should what the rule below does not see, as sockets that never spoke HTTP, leave ten million.
_BACKSTOP = 200
# An ended connection keeps 37 KB until then.
_AT_LEAST = 1_000
# One collection for those that leave together, and when their handlers have ended.
_DELAY_SECONDS = 5.0
# When the server's deadlines have passed, the last that knows of those connections: small things,
# each of which keeps a page.
_GIVE_BACK_SECONDS = 7.0
# With so many open a collection takes 50 ms.
_FEW = 250


class Garbage:
    """Counts the connections of an application, and collects when half as many have ended."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._open = 0
        self._ended = 0
        self._due: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Be the ASGI application around which it is."""
        self._open += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self._open -= 1
            self._ended += 1
            if self._due is None and self._ended >= max(_AT_LEAST, self._open // 2):
                self._due = asyncio.get_running_loop().call_later(_DELAY_SECONDS, self._collect)

    def start(self) -> None:
        """Take over from Python's own rule; what lives now is never looked at again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_YOUNG, _BACKSTOP)
        give_back()

    def _collect(self) -> None:
        self._due = None
        self._ended = 0
        gc.collect()
        asyncio.get_running_loop().call_later(_GIVE_BACK_SECONDS, self._give_back)

    def _give_back(self) -> None:
        if self._open <= _FEW:
            # The stragglers among those that left: each keeps pages of the others, too.
            self._ended = 0
            gc.collect()
        give_back()
