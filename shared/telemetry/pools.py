"""
How full a process's pool of database connections is.

A thread looks every two seconds: what a request sees at its end is itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from django.db import connections

from shared.telemetry import metrics

__all__ = ["PoolMeter", "watch"]

_SECONDS = 2.0


class PoolMeter:
    """Turns what a pool says of itself into metrics."""

    def __init__(self) -> None:
        # Threads that had waited in vain when it was last asked; a pool made anew counts from 0.
        self._failed = 0

    def measure(self, stats: Mapping[str, int]) -> None:
        """
        Set the gauges, and count on.

        Args:
            stats: `get_stats()` of the pool.
        """
        idle = stats["pool_available"]
        metrics.DB_POOL_CONNECTIONS.labels(state="idle").set(idle)
        # Those that are being made count as used: somebody waits for them.
        metrics.DB_POOL_CONNECTIONS.labels(state="used").set(max(0, stats["pool_size"] - idle))
        metrics.DB_POOL_CONNECTIONS_LIMIT.set(stats["pool_max"])
        metrics.DB_POOL_REQUESTS_WAITING.set(stats["requests_waiting"])
        failed = stats.get("requests_errors", 0)
        metrics.DB_POOL_TIMEOUTS.inc(failed - self._failed if failed >= self._failed else failed)
        self._failed = failed


def watch() -> None:
    """Begin to measure, in a process that does not fork anymore; without a pool do nothing."""
    pool = connections["default"].settings_dict["OPTIONS"].get("pool")
    if pool:
        for state in ("used", "idle"):
            metrics.DB_POOL_CONNECTIONS.labels(state=state)
        threading.Thread(target=_watch, name="pool-watch", daemon=True).start()


def _watch() -> NoReturn:
    meter = PoolMeter()
    while True:
        # Asked for anew each time: Django makes another one when the time zone changes.
        connection: Any = connections["default"]
        meter.measure(connection.pool.get_stats())
        time.sleep(_SECONDS)
