"""What a comparison of servers comes to."""

from __future__ import annotations

import pytest

from tests.load.fanout.measure import Result
from tests.load.fanout.peers import GATEWAY, NCHAN, REFERENCE, TUTORIAL
from tests.load.fanout.profiles import by_package, self_times
from tests.load.fanout.programs import Run
from tests.load.fanout.sizes import FULL
from tests.load.fanout.tables import figures, ratio, tables


def runs(*microseconds: float) -> list[Run]:
    return [Run(1_000, 1.0, each / 1_000, each, each * 2) for each in microseconds]


def results(gateway: float = 10) -> dict[str, Result]:
    """Five runs of each; the machine is twice as slow in the second one."""
    cell, burst, eight = (5_000, 1), (5_000, 16), (5_000, 8)
    own = [gateway, gateway * 2, gateway, gateway, gateway]
    one = Result({cell: runs(8, 16, 8, 8, 8), burst: runs(1, 2, 1, 1, 1), eight: runs(*[1] * 5)})
    two = Result({cell: runs(*own), burst: runs(2, 4, 2, 2, 2), eight: runs(*[2] * 5)})
    for result in (one, two):
        result.rates[5_000] = runs(20, 40, 20, 20, 20)
        result.bytes_per_connection, result.accepts_per_second = 1_000, 2_000
    return {
        REFERENCE: one,
        GATEWAY: two,
        NCHAN: Result({cell: runs(*[11] * 5), burst: runs(*[9] * 5)}),
        TUTORIAL: Result({cell: runs(*[450] * 5), eight: runs(*[500] * 5)}),
    }


def test_neighbouring_runs_are_compared() -> None:
    """What else the machine does meets both of a pair, and does not change their ratio."""
    assert ratio(results(), REFERENCE, GATEWAY, (5_000, 1)) == pytest.approx(0.8)


def test_what_is_bound_and_what_falls_short() -> None:
    """Each server has its own bound; the tutorial's is for as many broadcasts outstanding."""
    by_name = {figure.name: figure for figure in figures(results())}
    assert {name: figure.at_least for name, figure in by_name.items()} == {
        "C, epoll : gateway, 5,000 connections, W=1": 0.75,
        "C, epoll : gateway, 5,000 connections, W=16": 0.45,
        "C, epoll : gateway, 5,000 connections, W=8": None,
        "nchan : gateway, 5,000 connections, W=1": 1.0,
        "nchan : gateway, 5,000 connections, W=16": 5.0,
        "tutorial : gateway, 5,000 connections, W=1": None,
        "tutorial : gateway, 5,000 connections, W=8": 100.0,
    }
    short = [figure.name for figure in by_name.values() if figure.falls_short]
    assert short == ["nchan : gateway, 5,000 connections, W=16"]
    assert sum(figure.falls_short for figure in figures(results(gateway=12))) == 3


def test_every_row_has_its_ratio() -> None:
    """Deliveries, latency and connections are each told beside the reference's."""
    lines = "\n".join(tables(results(), FULL)).split("\n\n")
    for lines_of_one in lines:
        title, first, *rest = lines_of_one.splitlines()
        assert "ratio" in title
        assert first.startswith(REFERENCE)
        assert "1.00" in first
        assert any(line.startswith(GATEWAY) for line in rest)


def test_self_times() -> None:
    """Only the innermost function of a stack counts, and the most is first."""
    stacks = ["main (a.py);loop (b.py);write (c d.py) 6", "main (a.py);loop (b.py) 2", ""]
    assert self_times(stacks) == [("write (c d.py)", 0.75), ("loop (b.py)", 0.25)]
    assert self_times([]) == []


def test_shares_of_packages() -> None:
    """Functions are added up by where they come from; the standard library is one."""
    times = [
        ("A.b (twisted/internet/tcp.py:1)", 0.5),
        ("c (selectors.py:2)", 0.25),
        ("d (asyncio/events.py:3)", 0.125),
        ("e (twisted/python/util.py:4)", 0.125),
    ]
    assert by_package(times) == [("twisted", 0.625), ("Python", 0.375)]
