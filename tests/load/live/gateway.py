"""The gateway that is measured, seen from outside: its memory, its metrics, its core."""

from __future__ import annotations

import os
import re
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.processes import family
from deploy.stack.stack import Stack
from tests.load.memory import memory

__all__ = ["Gateway", "Lag", "lag_between", "parsed", "pin"]

NAME = "gateway-1"
LAG = "carillon_gateway_event_loop_lag_seconds"
COLLECTIONS = 'python_gc_collections_total{generation="2"}'
_SAMPLE = re.compile(r"^([a-z_:0-9A-Z]+(?:\{[^}]*\})?) ([-+0-9.eE]+|NaN|[+-]Inf)$", re.MULTILINE)


def parsed(text: str) -> dict[str, float]:
    """Return the samples of Prometheus' text format, by name and labels as they are written."""
    return {name: float(value) for name, value in _SAMPLE.findall(text)}


@dataclass(frozen=True)
class Lag:
    """How late an event loop was: on average, and the bound that the worst was below."""

    mean_ms: float
    below_ms: float
    observations: int


def lag_between(before: Mapping[str, float], after: Mapping[str, float]) -> Lag:
    """Return the event loop's lag between two readings of the metrics."""

    def grown(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    count = grown(f"{LAG}_count")
    bounds = {
        float(found[1]): grown(name)
        for name in after
        if (found := re.match(rf'{LAG}_bucket{{le="([^"]+)"}}', name))
    }
    below = min((bound for bound, seen in bounds.items() if seen >= count), default=float("inf"))
    return Lag(grown(f"{LAG}_sum") / max(count, 1) * 1e3, below * 1e3, int(count))


class Gateway:
    """The first gateway of a stack."""

    def __init__(self, stack: Stack) -> None:
        pid = stack.pid(NAME)
        assert pid is not None, "the stack's first gateway runs"
        self.pid = pid
        self.port = stack.layout.gateway(1)
        self._internal = f"http://127.0.0.1:{stack.layout.gateway_internal(1)}/metrics"

    @property
    def resident(self) -> int:
        """Bytes of memory that it has."""
        return memory(self.pid).get("Rss", 0)

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(self._internal, timeout=10) as answer:
            return parsed(answer.read().decode())

    def closed_with(self, code: int) -> float:
        """Return how many connections it has closed with a code."""
        wanted = "carillon_gateway_connections_closed_total{"
        return sum(
            value
            for name, value in self.metrics().items()
            if name.startswith(wanted) and f'code="{code}"' in name
        )

    def connections(self) -> float:
        return sum(
            value
            for name, value in self.metrics().items()
            if name.startswith("carillon_gateway_connections{")
        )

    def collections(self) -> float:
        """Return how often it has looked for garbage among all that it has."""
        return self.metrics().get(COLLECTIONS, 0.0)

    def wait_until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition; tell whether it came to hold in time."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


def pin(stack: Stack, gateway_core: int, other_core: int) -> None:
    """Keep the gateway on a core of its own, and the rest of its stack on another."""
    for record in stack.supervisor.records.all():
        if not record.alive:
            continue
        core = gateway_core if record.name == NAME else other_core
        for member in family(record.identity):
            for thread in Path(f"/proc/{member.pid}/task").iterdir():
                # It may have ended, or belong to another account.
                with suppress(OSError):
                    os.sched_setaffinity(int(thread.name), {core})
