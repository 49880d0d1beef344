"""What the runs of the servers come to: medians, ratios, bounds, and tables that say so. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from statistics import median

from tests.load.fanout.measure import Result
from tests.load.fanout.peers import GATEWAY, NCHAN, REFERENCE, TUTORIAL
from tests.load.fanout.sizes import Sizes
from tests.load.figures import Figure

__all__ = ["figures", "ratio", "tables"]

type Results = dict[str, Result]
type Cell = tuple[int, int]

# Whose CPU time, at how many connections and broadcasts outstanding -> how many times the gateway's
# it is at least, and is hoped to be.
AT_LEAST: dict[tuple[str, Cell], tuple[float, str]] = {
    (REFERENCE, (5_000, 1)): (0.75, ">= 0.90"),
    (REFERENCE, (5_000, 16)): (0.45, ">= 0.70"),
    (NCHAN, (5_000, 1)): (1.0, ""),
    (NCHAN, (5_000, 16)): (5.0, ""),
    (TUTORIAL, (5_000, 8)): (100.0, ""),
}


def ratio(results: Results, name: str, to: str, cell: Cell) -> float:
    """Return one server's CPU time by another's, of neighbouring runs."""
    pairs = zip(results[name].windows[cell], results[to].windows[cell], strict=True)
    return median(one.microseconds / other.microseconds for one, other in pairs)


def tables(results: Results, sizes: Sizes) -> list[str]:
    """Return the lines of three tables: deliveries, latency, connections; each with its ratios."""
    return [*_deliveries(results), "", *_latency(results, sizes), "", *_connections(results)]


def figures(results: Results) -> list[Figure]:
    """Return how the gateway compares with the others, as far as they were measured."""
    found = []
    for name, result in results.items():
        if name == GATEWAY:
            continue
        for cell in result.windows:
            if cell not in results[GATEWAY].windows or name not in (REFERENCE, NCHAN, TUTORIAL):
                continue
            at_least, aim = AT_LEAST.get((name, cell), (None, ""))
            what = f"{name} : gateway, {cell[0]:,} connections, W={cell[1]}"
            value = ratio(results, name, GATEWAY, cell)
            found.append(Figure(what, value, "", at_least=at_least, aim=aim))
    return found


def _deliveries(results: Results) -> list[str]:
    rows = [("", "connections", "W", "CPU us each", "each second", "ratio")]
    for cell in results[REFERENCE].windows:
        for name, result in results.items():
            if not (runs := result.windows.get(cell)):
                continue
            each = median(run.microseconds for run in runs)
            share = ratio(results, REFERENCE, name, cell)
            rows.append((name, f"{cell[0]:,}", f"{cell[1]}", *_cells(each, 1e6 / each, share)))
    return _aligned(rows)


def _latency(results: Results, sizes: Sizes) -> list[str]:
    rows: list[Sequence[str]] = [
        ("", "connections", "a second", "p50 ms", "ratio", "p99 ms", "ratio")
    ]
    for connections, limits in results[REFERENCE].rates.items():
        for name, result in results.items():
            if not (runs := result.rates.get(connections)):
                continue
            cells: list[str] = []
            for of in map(attrgetter, ("p50_ms", "p99_ms")):
                own = median(map(of, runs))
                share = median(of(a) / of(b) for a, b in zip(limits, runs, strict=True))
                cells += [f"{own:.1f}", _shown(share)]
            rows.append((name, f"{connections:,}", f"{sizes.per_second:g}", *cells))
    return _aligned(rows)


def _connections(results: Results) -> list[str]:
    limit = results[REFERENCE]
    rows: list[Sequence[str]] = [
        ("", "KB each", "ratio", "accepts/s", "ratio", "CPU ms each", "ratio")
    ]
    for name, result in results.items():
        pairs: list[tuple[str, float]] = [
            (
                f"{result.bytes_per_connection / 1e3:.1f}",
                _share(limit.bytes_per_connection, result.bytes_per_connection),
            ),
            (
                f"{result.accepts_per_second:,.0f}",
                _share(result.accepts_per_second, limit.accepts_per_second),
            ),
            (f"{result.accept_cpu_ms:.3f}", _share(limit.accept_cpu_ms, result.accept_cpu_ms)),
        ]
        rows.append((name, *(cell for value, share in pairs for cell in (value, _shown(share)))))
    return _aligned(rows)


def _share(one: float, other: float) -> float:
    return one / other if other > 0 else float("nan")


def _cells(each: float, per_second: float, share: float) -> tuple[str, str, str]:
    return f"{each:.2f}", f"{per_second:,.0f}", _shown(share)


def _shown(share: float) -> str:
    return f"{share:.2f}" if share >= 0.1 else f"{share:.2g}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]
