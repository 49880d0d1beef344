"""Whether the memory of connections is back after they have left."""

from __future__ import annotations

import time

from tests.load.fanout.programs import Client, Server
from tests.load.fanout.sizes import Sizes
from tests.load.figures import Figure

__all__ = ["leaving"]

# For each 10,000 that have left.
AT_MOST_MB = 2.0
MB = 1e6
# For so long nothing must have changed, or it is looked at as it is after the time below.
_STEADY_SECONDS = 1.0
_AT_MOST_SECONDS = 20.0


def leaving(server: Server, load: Client, sizes: Sizes) -> list[Figure]:
    """
    Have all subscribers come and go, again and again.

    The first time Python and malloc get memory that they keep, for whoever comes next; so what is
    bound is what the times after it add.
    """
    connections = sizes.connections[-1]
    at_first = server.resident
    after = [_come_and_go(server, load, sizes) for _ in range(1 + sizes.rounds)]
    kept = after[0] - at_first
    added = max(each - after[0] for each in after[1:])
    per = 10_000 / connections
    return [
        Figure(
            f"memory that {connections:,} connections leave behind, for 10,000",
            added * per / MB,
            "MB",
            at_most=AT_MOST_MB,
        ),
        Figure("  the first time, which is kept for the next ones", kept * per / MB, "MB"),
    ]


def _come_and_go(server: Server, load: Client, sizes: Sizes) -> int:
    """Return the memory that a server has when all have left, and what they left is collected."""
    load.open(sizes.connections[-1])
    load.window(1, 0.0)
    load.close(0)
    began = steady = time.monotonic()
    last = server.resident
    while time.monotonic() - began < _AT_MOST_SECONDS:
        time.sleep(0.1)
        resident = server.resident
        if resident != last:
            last, steady = resident, time.monotonic()
        if time.monotonic() - max(began + sizes.leave_seconds, steady) >= _STEADY_SECONDS:
            break
    return last
