"""`python -m tests.load.recovery`, with so few clients that it shows no more than that it works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.processes import python

pytestmark = [pytest.mark.servers, pytest.mark.thorough]


def test_all_of_it(tmp_path: Path) -> None:
    """All is measured on a stack of its own, and each client is told exactly what it missed."""
    # The account of the database must be able to pass.
    tmp_path.chmod(0o711)
    run = python(
        *("-m", "tests.load.recovery", "--smoke"),
        environment={"CARILLON_STATE_DIR": str(tmp_path)},
        seconds=180,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["bench"]
    kept = json.loads((tmp_path / "bench" / "recovery.json").read_text())
    figures = [(figure["name"].strip(), figure["value"]) for figure in kept["figures"]]
    assert [value for name, value in figures if name.startswith("not told")] == [0, 0, 0]
    assert dict(figures)["publications that they were told"] > 0
    assert dict(figures)["SQL statements for each"] > 0
