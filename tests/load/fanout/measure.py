"""Runs the servers side by side, in turns, and makes figures of what that gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.load.fanout.peers import GATEWAY, REFERENCE, Peer
from tests.load.fanout.programs import Client, Run, Server, started
from tests.load.fanout.sizes import Sizes
from tests.load.figures import Figure

__all__ = ["AT_LEAST", "Result", "figures", "matrix", "measure"]

# For the memory and the code that the first connections need.
WARM_UP = 10
# Connections and broadcasts outstanding -> the reference's CPU time as a share of the gateway's.
AT_LEAST = {(5_000, 1): 0.75, (5_000, 16): 0.45}


@dataclass
class Result:
    """
    What one server has done.

    Attributes:
        windows: (connections, broadcasts outstanding) -> runs.
        rates: connections -> the run at a fixed rate.
        opened: how many connections the two below are of.
        bytes_per_connection: resident memory of the process.
        accepts_per_second: by the wall clock, with the client on another core.
        accept_cpu_ms: of the server, for one.
    """

    windows: dict[tuple[int, int], list[Run]] = field(default_factory=dict)
    rates: dict[int, Run] = field(default_factory=dict)
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
            "rates": [{"connections": n, **asdict(run)} for n, run in self.rates.items()],
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
            for _ in range(sizes.repeats):
                for window in sizes.windows:
                    for peer in peers:
                        if not peer.windows or window in peer.windows:
                            run = running[peer.name][1].window(window, sizes.seconds)
                            runs = results[peer.name].windows.setdefault((connections, window), [])
                            runs.append(run)
            for peer in peers:
                if peer.has_rate:
                    load = running[peer.name][1]
                    results[peer.name].rates[connections] = load.rate(
                        sizes.per_second, sizes.rate_seconds
                    )
    return results


def _open(result: Result, server: Server, load: Client, connections: int) -> None:
    before = server.resident
    answer = load.open(connections)
    # The last step has the most, so it is the one that counts.
    result.opened = answer["opened"]
    result.bytes_per_connection = (server.resident - before) / answer["opened"]
    result.accepts_per_second = answer["opened"] / answer["seconds"]
    result.accept_cpu_ms = answer["cpu_seconds"] / answer["opened"] * 1e3


def ratio(results: dict[str, Result], name: str, key: tuple[int, int]) -> float:
    """Return the reference's CPU time as a share of a server's, of neighbouring runs."""
    pairs = zip(results[REFERENCE].windows[key], results[name].windows[key], strict=True)
    return median(reference.microseconds / own.microseconds for reference, own in pairs)


def matrix(results: dict[str, Result]) -> list[str]:
    """Return a line for each server and number of connections and of broadcasts outstanding."""
    rows = [("", "connections", "W", "us each", "each second", "ratio", "p50 / p99 ms")]
    for key in results[REFERENCE].windows:
        connections, window = key
        for name, result in results.items():
            if not (runs := result.windows.get(key)):
                continue
            each = median(run.microseconds for run in runs)
            rate = result.rates.get(connections)
            latency = f"{rate.p50_ms:.1f} / {rate.p99_ms:.1f}" if rate and window == 1 else ""
            share = f"{ratio(results, name, key):.2f}"
            per_second = f"{1e6 / each:,.0f}"
            line = (
                name,
                f"{connections:,}",
                f"{window}",
                f"{each:.2f}",
                per_second,
                share,
                latency,
            )
            rows.append(line)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]


def figures(results: dict[str, Result]) -> list[Figure]:
    """Return what is bound, and what a connection costs."""
    found = [
        Figure(
            f"reference : gateway, {connections:,} connections, W={window}",
            ratio(results, GATEWAY, (connections, window)),
            "",
            at_least=AT_LEAST.get((connections, window)),
        )
        for connections, window in results[GATEWAY].windows
    ]
    for name, result in results.items():
        found += [
            Figure(f"{name}: memory for a connection", result.bytes_per_connection / 1024, "KiB"),
            Figure(f"{name}: connections accepted", result.accepts_per_second, "/s"),
            Figure(f"{name}: CPU for an accept", result.accept_cpu_ms, "ms"),
        ]
    return found
