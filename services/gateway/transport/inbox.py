"""What a client has sent and its application has not taken yet: bounded by number and size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["Inbox"]

_MESSAGES = 32
_BYTES = 256 * 1024


class Inbox:
    """
    A queue of ASGI messages with one reader, which says when it is full and when it has room.

    It is full with 32 messages or 256 KiB, and has room again at half of both.
    """

    __slots__ = ("_bytes", "_has_room", "_is_full", "_messages", "_reader", "_when_full")

    def __init__(self, when_full: Callable[[], None], has_room: Callable[[], None]) -> None:
        # A list: an empty deque takes ten times its memory, and no inbox becomes long.
        self._messages: list[dict[str, Any]] = []
        self._bytes = 0
        self._is_full = False
        self._reader: asyncio.Future[None] | None = None
        self._when_full = when_full
        self._has_room = has_room

    @property
    def waiting(self) -> int:
        """How many messages nobody has taken."""
        return len(self._messages)

    def put_nowait(self, message: dict[str, Any]) -> None:
        """Add a message, also where it is full: the last thing to come is the disconnect."""
        self._messages.append(message)
        self._bytes += _size(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        if not self._is_full and (len(self._messages) >= _MESSAGES or self._bytes >= _BYTES):
            self._is_full = True
            self._when_full()

    async def get(self) -> dict[str, Any]:
        """Wait for the next message, and return it."""
        while not self._messages:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        message = self._messages.pop(0)
        self._bytes -= _size(message)
        if self._is_full and len(self._messages) <= _MESSAGES // 2 and self._bytes <= _BYTES // 2:
            self._is_full = False
            # Not at once, or a reader that never has to wait would go through all that one read of
            # the socket has brought, thousands of messages, before anybody else has a turn.
            asyncio.get_running_loop().call_soon(self._has_room)
        return message


def _size(message: dict[str, Any]) -> int:
    # In characters for text, which is up to four times as much in bytes: a bound, no account.
    return len(message.get("text") or message.get("bytes") or "")
