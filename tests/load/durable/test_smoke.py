"""`python -m tests.load.durable`, with so few people that it shows no more than that it works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.processes import python

pytestmark = [pytest.mark.servers, pytest.mark.thorough]


def test_all_of_it(tmp_path: Path) -> None:
    """All is measured on a stack of its own; what is acknowledged is stored and heard, in order."""
    # The account of the database must be able to pass.
    tmp_path.chmod(0o711)
    run = python(
        *("-m", "tests.load.durable", "--smoke"),
        environment={"CARILLON_STATE_DIR": str(tmp_path)},
        seconds=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["bench"]
    kept = json.loads((tmp_path / "bench" / "durable.json").read_text())
    figures = [(figure["name"].strip(), figure["value"]) for figure in kept["figures"]]
    assert dict(figures)["durable chat in a room"] > 0
    assert {value for name, value in figures if name in ("refused", "disordered")} == {0}
