"""What decides the exit status of a benchmark."""

from __future__ import annotations

import math

import pytest

from tests.load.figures import Figure, percentile, table


@pytest.mark.parametrize(
    ("figure", "short"),
    [
        (Figure("ratio", 10, "times", at_least=10), False),
        (Figure("ratio", 9.99, "times", at_least=10), True),
        (Figure("memory", 300, "MB", at_most=300), False),
        (Figure("memory", 300.1, "MB", at_most=300), True),
        (Figure("rows", 999, "", at_least=1_000, at_most=1_000), True),
        (Figure("rows", 1_001, "", at_least=1_000, at_most=1_000), True),
        (Figure("rows", 1_000, "", at_least=1_000, at_most=1_000), False),
        (Figure("seconds", 1e9, "s", aim="<= 60"), False),
    ],
)
def test_bounds_decide(figure: Figure, short: bool) -> None:
    """A figure falls short beyond its bound, not at it; one without a bound never does."""
    assert figure.falls_short is short


def test_what_could_not_be_measured_falls_short() -> None:
    """Without a single ack there is no percentile, and the run fails."""
    figure = Figure("ack p99", percentile([], 0.99), "ms", at_most=500)
    assert figure.falls_short
    assert "? ms" in table([figure])


def test_percentile() -> None:
    """99 of 100 values are below the one that is returned; the order does not matter."""
    assert percentile([float(n) for n in range(100, 0, -1)], 0.99) == 100
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2
    assert math.isinf(percentile([], 0.5))


def test_table_shows_bound_aim_and_verdict() -> None:
    """Each figure is a line: what, how much, its bound, what is hoped for, how it went."""
    lines = table(
        [
            Figure("ratio", 31.4, "times", at_least=10, aim=">= 30"),
            Figure("worker's memory", 1_234.5, "MB", at_most=300),
            Figure("rows", 20_000, "", at_least=20_000, at_most=20_000),
            Figure("ack p50", 3.25, "ms"),
            Figure("query", 0.0347, "ms"),
        ]
    ).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "measured bound aim",
        "ratio 31.4 times >= 10 >= 30 ok",
        "worker's memory 1,234 MB <= 300 FALLS SHORT",
        "rows 20,000 = 20,000 ok",
        "ack p50 3.2 ms",
        "query 0.035 ms",
    ]
