"""Charts of what a benchmark keeps, as plain data; nothing is drawn."""

from __future__ import annotations

from typing import Any

from tests.load.plots import charts


def run(microseconds: float) -> dict[str, Any]:
    return {
        "deliveries": 1_000,
        "seconds": 1.0,
        "cpu_seconds": microseconds / 1_000,
        "p50_ms": microseconds,
        "p99_ms": 2 * microseconds,
    }


def server(*runs: float, windows: tuple[int, ...], has_rate: bool = True) -> dict[str, Any]:
    return {
        "bytes_per_connection": 7_000,
        "windows": [
            {"connections": n, "outstanding": w, "runs": [run(n / 10 * each) for each in runs]}
            for n in (10, 50)
            for w in windows
        ],
        "rates": [{"connections": 50, "runs": list(map(run, runs))}] if has_rate else [],
    }


KEPT = {
    "sizes": {"connections": [10, 50], "windows": [1, 16], "per_second": 10.0},
    "servers": {
        "C, epoll": server(1, 9, 2, windows=(1, 16)),
        "tutorial": server(400, windows=(1,), has_rate=False),
    },
}


def test_cpu_is_the_median_at_the_most_connections() -> None:
    """Each server is a group, with a bar for each number of outstanding broadcasts."""
    cpu = charts(KEPT)[0]
    assert cpu.is_log
    assert cpu.labels == ["C, epoll", "tutorial"]
    assert cpu.series == {"1 outstanding": [10, 2_000], "16 outstanding": [10, None]}


def test_latency_is_of_those_who_have_it() -> None:
    """A server that cannot keep the rate up is not in the chart."""
    latency = charts(KEPT)[1]
    assert latency.labels == ["C, epoll"]
    assert latency.series == {"p50": [2], "p99": [4]}


def test_memory_is_in_kilobytes() -> None:
    """A connection's memory is shown as it is told in the table."""
    assert charts(KEPT)[2].series == {"": [7.0, 7.0]}


def test_each_chart_has_a_unit() -> None:
    """Nobody has to guess what the length of a bar is."""
    for chart in charts(KEPT):
        assert any(unit in chart.axis for unit in ("seconds", "KB"))
