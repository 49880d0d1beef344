"""`python -m tests.load.live`, with so few connections that it shows no more than that it works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.processes import python

pytestmark = [pytest.mark.servers, pytest.mark.thorough]


def test_all_of_it(tmp_path: Path) -> None:
    """Everything is measured on a stack of its own, of which nothing stays but the figures."""
    # The account of the database must be able to pass.
    tmp_path.chmod(0o711)
    run = python(
        *("-m", "tests.load.live", "--smoke"),
        environment={"CARILLON_STATE_DIR": str(tmp_path)},
        seconds=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["bench"]
    kept = json.loads((tmp_path / "bench" / "live.json").read_text())
    values = {figure["name"].strip(): figure["value"] for figure in kept["figures"]}
    assert values["authenticated accepts, by CPU time"] > 0
    complete = [value for name, value in values.items() if name.endswith("lacking")]
    assert complete == [0] * 4
