"""Tellings: joins and leaves on their way to all gateways, some hundred in one bell."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from shared.broker import bell
from shared.broker.wire import Published
from shared.presence import changes
from shared.presence.clients import ClientInfo

__all__ = ["Tellings"]

_AT_ONCE = 300
# Between two bells: the queue of bells is to have room for what is published meanwhile.
_PAUSE_SECONDS = 0.01

type _Change = Callable[[str, ClientInfo], Published]


class Tellings:
    """
    What this gateway tells of clients that come and go, in the order in which it happens.

    When thousands come in the same second, they are told a few at a time.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[_Change, str, ClientInfo]] = deque()
        self._is_due = False

    def join(self, channel: str, info: ClientInfo) -> None:
        """Tell that a client came; in the event loop."""
        self._add(changes.join, channel, info)

    def leave(self, channel: str, info: ClientInfo) -> None:
        """Tell that a client went; in the event loop."""
        self._add(changes.leave, channel, info)

    def _add(self, change: _Change, channel: str, info: ClientInfo) -> None:
        self._waiting.append((change, channel, info))
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._ring)

    def _ring(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        self._is_due = bool(self._waiting)
        if self._is_due:
            asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._ring)
        bell.ring([change(channel, info) for change, channel, info in some])
