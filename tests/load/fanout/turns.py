"""
Turns: how long one thing at a time has had the event loop for itself.

A server looks after this once it is told `turns`, and on `longest` says what the longest one was
and begins anew. Before that it costs nothing.
"""

from __future__ import annotations

import asyncio.events
import time
from typing import Any

__all__ = ["Turns"]

type Answer = dict[str, float | str]


class Turns:
    """Times everything that the event loop calls."""

    def __init__(self) -> None:
        self._run: Any = None
        self._start_over()

    def _start_over(self) -> None:
        # The longest by CPU time, what that was, and the longest by the wall clock, during which
        # the machine may have been doing something else.
        self._cpu = 0.0
        self._name = ""
        self._wall = 0.0
        self._count = 0

    def answer(self, word: str) -> Answer:
        """
        Do what a line of stdin says.

        Raises:
            ValueError: it says nothing that is known.
        """
        if word == "turns":
            self._watch()
            self._start_over()
            return {}
        if word == "longest":
            longest: Answer = {
                "cpu_ms": self._cpu * 1e3,
                "name": self._name,
                "wall_ms": self._wall * 1e3,
                "count": self._count,
            }
            self._start_over()
            return longest
        raise ValueError(f"There is no word {word!r}.")

    def _watch(self) -> None:
        """Have every handle of asyncio timed: callbacks, steps of tasks, timers, sockets."""
        if self._run is not None:
            return
        self._run = run = asyncio.events.Handle._run
        cpu_clock, wall_clock = time.thread_time, time.perf_counter

        def timed(handle: asyncio.Handle) -> None:
            callback = handle._callback  # type: ignore[attr-defined]
            wall, cpu = wall_clock(), cpu_clock()
            run(handle)
            cpu, wall = cpu_clock() - cpu, wall_clock() - wall
            self._count += 1
            if cpu > self._cpu:
                self._cpu = cpu
                self._name = getattr(callback, "__qualname__", type(callback).__name__)
            self._wall = max(self._wall, wall)

        asyncio.events.Handle._run = timed  # type: ignore[method-assign,assignment]
