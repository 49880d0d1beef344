"""Runs the servers side by side, in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.load.fanout.peers import Peer
from tests.load.fanout.programs import Client, Run, Server, started
from tests.load.fanout.sizes import Sizes

__all__ = ["Result", "measure"]

# For the memory and the code that the first connections need.
WARM_UP = 10


@dataclass
class Result:
    """
    What one server has done.

    Attributes:
        windows: (connections, broadcasts outstanding) -> runs.
        rates: connections -> runs at a fixed rate.
        opened: how many connections the three below are of.
        bytes_per_connection: resident memory of the process.
        accepts_per_second: by the wall clock, with the client on another core.
        accept_cpu_ms: of the server, for one.
    """

    windows: dict[tuple[int, int], list[Run]] = field(default_factory=dict)
    rates: dict[int, list[Run]] = field(default_factory=dict)
    opened: int = 0
    bytes_per_connection: float = 0.0
    accepts_per_second: float = 0.0
    accept_cpu_ms: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return all of it in types that JSON has."""
        return {
            **{k: v for k, v in vars(self).items() if k not in {"windows", "rates"}},
            "windows": [
                {"connections": n, "outstanding": w, "runs": [asdict(run) for run in runs]}
                for (n, w), runs in self.windows.items()
            ],
            "rates": [
                {"connections": n, "runs": [asdict(run) for run in runs]}
                for n, runs in self.rates.items()
            ],
        }


def measure(
    peers: Sequence[Peer], client: Path, sizes: Sizes, say: Callable[[str], None]
) -> dict[str, Result]:
    """
    Measure all servers: the reference and the rest take turns, so that all have the same minutes.

    Raises:
        RuntimeError: one has lost frames, or has ended.
    """
    results = {peer.name: Result() for peer in peers}
    with ExitStack() as stack:
        running: dict[str, tuple[Server, Client]] = {}
        for peer in peers:
            pair = started(peer.name, peer.command, client, peer.environment)
            running[peer.name] = stack.enter_context(pair)
        for _, load in running.values():
            load.open(WARM_UP)
            load.window(1, 0.1)
        for connections in sizes.connections:
            for name, (server, load) in running.items():
                _open(results[name], server, load, connections)
            say(f"{connections:,} connections to each of {len(peers)} servers.")
            for number in range(1, sizes.repeats + 1):
                for window in sizes.windows:
                    cell = (connections, window)
                    for peer in peers:
                        if not peer.cells or cell in peer.cells:
                            run = running[peer.name][1].window(window, sizes.seconds)
                            results[peer.name].windows.setdefault(cell, []).append(run)
                for peer in peers:
                    if peer.has_rate:
                        run = running[peer.name][1].rate(sizes.per_second, sizes.rate_seconds)
                        results[peer.name].rates.setdefault(connections, []).append(run)
                say(f"  {number} of {sizes.repeats} runs.")
    return results


def _open(result: Result, server: Server, load: Client, connections: int) -> None:
    before = server.resident
    answer = load.open(connections)
    # The last step has the most, so it is the one that counts.
    result.opened = answer["opened"]
    result.bytes_per_connection = (server.resident - before) / answer["opened"]
    result.accepts_per_second = answer["opened"] / answer["seconds"]
    result.accept_cpu_ms = answer["cpu_seconds"] / answer["opened"] * 1e3
