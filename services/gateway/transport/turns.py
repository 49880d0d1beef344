"""Turns: the event loop's time for writing, which all groups have between them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Turns"]

# What one turn may take, and a step that has begun beyond it; then everything else has its chance.
_SECONDS = 0.008


class Turns:
    """Runs what groups have to do, one step of each after the other, a few milliseconds at once."""

    def __init__(self) -> None:
        self._due: deque[Callable[[], bool]] = deque()
        self._is_coming = False

    def add(self, go_on: Callable[[], bool]) -> None:
        """Call `go_on` from the next turn of the event loop on until it returns False."""
        self._due.append(go_on)
        self._come_back()

    def _come_back(self) -> None:
        if not self._is_coming:
            self._is_coming = True
            asyncio.get_running_loop().call_soon(self._take)

    def _take(self) -> None:
        self._is_coming = False
        ends = time.perf_counter() + _SECONDS
        try:
            while self._due:
                go_on = self._due.popleft()
                if go_on():
                    # Behind the others, so that small groups do not wait for a large one to end.
                    self._due.append(go_on)
                if time.perf_counter() >= ends:
                    return
        finally:
            if self._due:
                self._come_back()
