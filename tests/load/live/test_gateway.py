"""What the benchmark reads of a gateway's metrics, and what it makes of a client's answer."""

from __future__ import annotations

import math

import pytest

from tests.load.live.gateway import LAG, lag_between, parsed
from tests.load.live.programs import Heard

TEXT = f"""\
# HELP {LAG} How late the event loop runs what is due.
# TYPE {LAG} histogram
{LAG}_bucket{{le="0.001"}} 10.0
{LAG}_bucket{{le="0.01"}} 18.0
{LAG}_bucket{{le="0.05"}} 20.0
{LAG}_bucket{{le="+Inf"}} 20.0
{LAG}_count 20.0
{LAG}_sum 0.1
python_gc_collections_total{{generation="2"}} 3.0
carillon_gateway_connections{{transport="websocket"}} 5e+03
"""


def test_reads_samples_with_and_without_labels() -> None:
    """Each sample has its value, by its name and labels as they stand; comments are none."""
    samples = parsed(TEXT)
    assert samples[f"{LAG}_count"] == 20
    assert samples['python_gc_collections_total{generation="2"}'] == 3
    assert samples['carillon_gateway_connections{transport="websocket"}'] == 5_000
    assert len(samples) == 8


def test_lag_is_of_the_time_between_two_readings() -> None:
    """What was observed before does not count: neither its sum nor its slowest."""
    before = parsed(TEXT)
    after = dict(before)
    after[f"{LAG}_count"], after[f"{LAG}_sum"] = 24, 0.12
    for bound in ("0.01", "0.05", "+Inf"):
        after[f'{LAG}_bucket{{le="{bound}"}}'] += 4
    lag = lag_between(before, after)
    assert lag.observations == 4
    assert lag.mean_ms == pytest.approx(5)
    assert lag.below_ms == 10


def test_lag_of_no_time_is_none() -> None:
    """Between two equal readings nothing was late."""
    lag = lag_between(parsed(TEXT), parsed(TEXT))
    assert (lag.mean_ms, lag.observations) == (0, 0)
    assert lag_between({}, {}).below_ms == math.inf


@pytest.mark.parametrize(
    ("frames", "missing", "disordered", "lacking"),
    [(30, 0, 0, 0), (29, 0, 0, 1), (31, 0, 1, 2), (29, 1, 0, 2)],
)
def test_whatever_came_wrongly_is_lacking(
    frames: int, missing: int, disordered: int, lacking: int
) -> None:
    """Too few, too many, holes and repeats: none of them passes as complete."""
    heard = Heard(3, frames, missing, disordered, 1.0, 2.0, 3.0)
    assert heard.lacking(messages=10, listeners=3) == lacking
