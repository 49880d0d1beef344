"""Deadlines of one length: what was added first is due first, so no timer of its own is needed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator

__all__ = ["Deadlines"]

logger = logging.getLogger(__name__)

# Of those that are due, how many are looked at in one turn of the event loop.
_SLICE = 500


class Deadlines[T]:
    """
    Calls back for each thing, a fixed time after it was added.

    Nothing is ever taken out: the callback looks whether it still matters, which is cheaper than
    to keep ten thousand timers that seldom ring.
    """

    def __init__(self, seconds: float, when_due: Callable[[T], None]) -> None:
        self._seconds = seconds
        self._when_due = when_due
        self._things: deque[tuple[float, T]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[T]:
        # Of a copy, made in one step: metrics are read in another thread.
        return iter([thing for _, thing in tuple(self._things)])

    def add(self, thing: T) -> None:
        """Call back for this thing when the time has passed."""
        loop = asyncio.get_running_loop()
        self._things.append((loop.time() + self._seconds, thing))
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._ring)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for _ in range(_SLICE):
            if not self._things or self._things[0][0] > now:
                break
            try:
                self._when_due(self._things.popleft()[1])
            except Exception:
                # The others' deadlines must not end with it.
                logger.exception("A deadline's callback failed.")
        self._timer = None
        if self._things:
            self._timer = loop.call_at(max(now, self._things[0][0]), self._ring)
