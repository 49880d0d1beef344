"""What clients who stall and clients who flood cost the server, and the other clients."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.load.fanout.programs import Client, Program, Run, Server, cores
from tests.load.fanout.sizes import Sizes
from tests.load.figures import Figure

__all__ = ["crowds"]

AT_MOST_MB = 60.0
MB = 1e6
# What the others' p99 may be, beside what it is without the crowd.
TIMES, MORE_MS = 1.2, 20.0

# So much that what a stalled client does not take reaches the server's bound meanwhile.
PAYLOAD_BYTES = 4_096
PER_SECOND = 20
# Each flooding client, if the server takes so many.
MESSAGES_PER_SECOND = 10_000
_ANSWER_SECONDS = 60.0


@dataclass
class Peak:
    """The most memory that a server had."""

    resident: int = 0


@contextmanager
def _watched(server: Server) -> Iterator[Peak]:
    peak, done = Peak(), threading.Event()

    def look() -> None:
        while not done.is_set():
            peak.resident = max(peak.resident, server.resident)
            done.wait(0.2)

    thread = threading.Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


@contextmanager
def _misfits(server: Server, sizes: Sizes) -> Iterator[Program]:
    pinned = cores()
    counts = (server.port, sizes.stalled, sizes.flooding, MESSAGES_PER_SECOND)
    command = [sys.executable, "-m", "tests.load.fanout.misfits", *map(str, counts)]
    program = Program("The crowd", command, pinned and pinned[1])
    try:
        program.hear(_ANSWER_SECONDS)
        yield program
    finally:
        program.end()


def crowds(server: Server, load: Client, sizes: Sizes) -> list[Figure]:
    """Measure with a crowd of good clients, then with some of them stalled and some flooding."""
    everybody = sizes.good + sizes.stalled + sizes.flooding
    calm: list[Run] = []
    crowded: list[Run] = []
    grown: list[int] = []
    states: list[dict[str, Any]] = []
    load.size(PAYLOAD_BYTES)
    for _ in range(sizes.crowds):
        load.open(everybody)
        calm.append(load.rate(PER_SECOND, sizes.crowd_seconds / 2))
        before = server.resident
        load.close(sizes.good)
        with _watched(server) as peak, _misfits(server, sizes) as crowd:
            crowded.append(load.rate(PER_SECOND, sizes.crowd_seconds))
            states.append(crowd.ask("state", _ANSWER_SECONDS))
        grown.append(peak.resident - before)
    without, beside = (median(run.p99_ms for run in runs) for runs in (calm, crowded))
    bad = f"{sizes.stalled} stalled and {sizes.flooding} flooding of {everybody:,}"
    flooding = sum(state["flooding_cut"] for state in states) / len(states)
    stalled = sum(state["stalled_cut"] for state in states) / len(states)
    messages = sum(state["messages"] for state in states) / len(states)
    return [
        Figure(f"memory, {bad}", max(grown) / MB, "MB", at_most=AT_MOST_MB),
        Figure(
            "  p99 of the others", beside, "ms", at_most=max(TIMES * without, without + MORE_MS)
        ),
        Figure("  p99 with all of them good", without, "ms"),
        Figure("  stalled ones cut", stalled, ""),
        Figure("  flooding ones cut, and back again", flooding, "times"),
        Figure("  messages of the flooding ones", messages, ""),
    ]
