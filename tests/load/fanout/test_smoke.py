"""`make bench`, with so few connections that it shows no more than that it works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.load.fanout.programs import checked
from tests.load.fanout.sizes import SMOKE
from tests.processes import python

# Servers of their own, one after the other.
pytestmark = pytest.mark.thorough

ANSWER = {
    "connections": 3,
    "broadcasts": 2,
    "deliveries": 6,
    "seconds": 0.5,
    "cpu_seconds": 0.000012,
    "missing": 0,
    "disordered": 0,
    "lost": 0,
    "p50_ms": 0.0,
    "p99_ms": 0.0,
    "max_ms": 0.0,
}


def test_all_of_it(tmp_path: Path) -> None:
    """Both servers give every frame to everybody, and the tables say at what price."""
    run = python(
        *("-m", "tests.load.fanout", "--smoke"),
        environment={"CARILLON_STATE_DIR": str(tmp_path)},
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    for name in ("C, epoll", "gateway"):
        lines = [line for line in run.stdout.splitlines() if line.startswith(f"{name}  ")]
        # Deliveries, latency, and what a connection costs.
        assert len(lines) == len(SMOKE.connections) * (len(SMOKE.windows) + 1) + 1
    for figure in ("longest turn", "memory that", "p99 of the others"):
        assert figure in run.stdout
    kept = json.loads((tmp_path / "bench" / "fanout.json").read_text())
    for server in kept["servers"].values():
        for cell in server["windows"]:
            assert len(cell["runs"]) == SMOKE.repeats
            assert all(each["deliveries"] >= cell["connections"] for each in cell["runs"])
        broadcasts = int(SMOKE.per_second * SMOKE.rate_seconds)
        for rate in server["rates"]:
            for each in rate["runs"]:
                assert each["deliveries"] == rate["connections"] * broadcasts
                assert 0 < each["p50_ms"] <= each["p99_ms"]


def test_a_run_is_what_the_client_answered() -> None:
    """A run in which everything arrived counts, and has a price for each delivery."""
    assert checked("it", ANSWER).microseconds == pytest.approx(2)


@pytest.mark.parametrize(
    "wrong", [{"missing": 1}, {"disordered": 1}, {"lost": 1}, {"deliveries": 5}]
)
def test_a_server_that_loses_frames_has_no_figures(wrong: dict[str, Any]) -> None:
    """The run fails where a frame came twice, late or never, however fast the server was."""
    with pytest.raises(RuntimeError, match="each frame once and in order"):
        checked("it", ANSWER | wrong)
