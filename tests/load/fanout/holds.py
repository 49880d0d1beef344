"""How long fan-out has the event loop for itself: nobody else is served meanwhile."""

from __future__ import annotations

from tests.load.fanout.programs import Client, Server
from tests.load.fanout.sizes import Sizes
from tests.load.figures import Figure

__all__ = ["holds"]

# Of the CPU's time. By the wall clock it may be longer, where others use the machine.
AT_MOST_MS = 20.0
# Broadcasts outstanding, and the bytes of each.
CASES = ((1, 200), (16, 200), (16, 16_384))
_ANSWER_SECONDS = 20.0


def holds(server: Server, load: Client, sizes: Sizes) -> list[Figure]:
    """Look at the longest turns of a gateway's server that nobody has measured anything of yet."""
    connections = sizes.connections[-1]
    load.open(connections)
    found = []
    for window, payload_bytes in CASES:
        load.size(payload_bytes)
        # The first one finds buffers of the kernel that have not grown yet.
        load.window(window, 0.0)
        server.ask("turns", _ANSWER_SECONDS)
        load.window(window, sizes.seconds)
        longest = server.ask("longest", _ANSWER_SECONDS)
        case = f"{connections:,} connections, W={window} of {payload_bytes:,} bytes"
        found += [
            Figure(f"longest turn, {case}", longest["cpu_ms"], "ms", at_most=AT_MOST_MS),
            Figure("  by the wall clock", longest["wall_ms"], "ms"),
        ]
    return found
