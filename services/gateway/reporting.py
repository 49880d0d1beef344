"""
Reports: how this gateway fares, written where the server API's `info` reads it.

Whoever wants to watch gateways scrapes their metrics; this is for a glance.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from prometheus_client import Counter, Gauge

from services.gateway.database import DatabaseAway, DatabaseThreads
from shared.presence.clients import Condition
from shared.presence.reports import do_report
from shared.telemetry import build, metrics

__all__ = ["Reporter"]

_INTERVAL_SECONDS = 10.0
# What is counted, over all labels.
_COUNTED = {
    "connections_opened": metrics.CONNECTIONS_OPENED,
    "connections_closed": metrics.CONNECTIONS_CLOSED,
    "messages_received": metrics.MESSAGES_RECEIVED,
    "messages_sent": metrics.MESSAGES_SENT,
    "messages_dropped": metrics.MESSAGES_DROPPED,
    "command_errors": metrics.COMMAND_ERRORS,
    "recoveries": metrics.RECOVERIES,
}
# What is there at this moment, over all labels.
_THERE = {
    "connections": metrics.CONNECTIONS,
    "connections_limit": metrics.CONNECTIONS_LIMIT,
    "users": metrics.USERS,
    "draining": metrics.DRAINING,
}
_STATM = Path("/proc/self/statm")


class _Reading(NamedTuple):
    """What was read at one moment."""

    at: float
    cpu_seconds: float
    counts: Mapping[str, float]


class Reporter:
    """Writes a report now and then."""

    def __init__(self, database: DatabaseThreads, incarnation: str) -> None:
        """Take where to write, and which process this is."""
        self._database = database
        self._incarnation = incarnation
        self._started = time.monotonic()
        self._last = _read()

    async def run(self) -> None:
        """Write, for ever."""
        while True:
            # Without an answer the next one says the same.
            with contextlib.suppress(DatabaseAway):
                await self._database.write(do_report, self._incarnation, self.condition())
            await asyncio.sleep(_INTERVAL_SECONDS)

    def condition(self) -> Condition:
        """Return how it fares since this was asked last."""
        last, now = self._last, _read()
        self._last = now
        seconds = max(now.at - last.at, 1e-3)
        return Condition(
            version=build.VERSION,
            uptime=int(now.at - self._started),
            cpu=round((now.cpu_seconds - last.cpu_seconds) / seconds * 100, 2),
            rss=_rss(),
            interval=round(seconds, 3),
            items={
                **{name: count - last.counts[name] for name, count in now.counts.items()},
                **{name: _sum(gauge) for name, gauge in _THERE.items()},
            },
        )


def _read() -> _Reading:
    counts = {name: _sum(counter, "_total") for name, counter in _COUNTED.items()}
    return _Reading(time.monotonic(), time.process_time(), counts)


def _sum(metric: Counter | Gauge, suffix: str = "") -> float:
    """Return the sum of a metric's series; a counter also says when each was made."""
    return sum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name == family.name + suffix
    )


def _rss() -> int:
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    # The most that it ever had: other systems tell no more without a library.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
