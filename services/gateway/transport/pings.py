"""Pings: each connection has its own moment in the interval, whatever else it sends or gets."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Protocol

__all__ = ["PingClock", "Pingable"]

logger = logging.getLogger(__name__)

_SLOTS = 256


class Pingable(Protocol):
    """What the clock needs of a connection."""

    def ping(self) -> None:
        """Send a ping; never wait, never raise."""


class PingClock:
    """Pings everybody once in an interval, a 256th of them at a time."""

    def __init__(self, seconds: float) -> None:
        """Take the interval."""
        self._tick = seconds / _SLOTS
        self._slots: list[set[Pingable]] = [set() for _ in range(_SLOTS)]
        self._hand = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Pingable) -> int:
        """Ping a connection from now on; returns the slot that `discard` wants."""
        slot = random.randrange(_SLOTS)  # noqa: S311 - nothing is to be kept secret
        self._slots[slot].add(connection)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + self._tick
            self._timer = loop.call_at(self._due, self._move)
        return slot

    def discard(self, connection: Pingable, slot: int) -> None:
        """Forget a connection."""
        self._slots[slot].discard(connection)

    def _move(self) -> None:
        # From the last due time on, not from now: a busy loop does not make the interval longer.
        self._due += self._tick
        self._timer = asyncio.get_running_loop().call_at(self._due, self._move)
        self._hand = (self._hand + 1) % _SLOTS
        for connection in tuple(self._slots[self._hand]):
            try:
                connection.ping()
            except Exception:
                # The others' pings must not fail with it.
                logger.exception("A ping failed.")
