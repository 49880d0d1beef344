"""The dashboards as files: generated, importable, and asking for nothing that is not there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deploy.dashboards.__main__ import FOLDER, files
from deploy.dashboards.panels import Unit
from tests.deploy import promql
from tests.watching.dashboards import targets, variables
from tests.watching.expectations import EXPECTED

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/dashboards.md"
NAMES = ["carillon-gateway", "carillon-overview", "carillon-web", "carillon-workers"]
KINDS = {"heatmap", "row", "stat", "state-timeline", "table", "timeseries"}
COLUMNS = 24
VARIABLES = ["datasource", "namespace", "job", "instance"]

DASHBOARDS = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in NAMES}
EACH = pytest.mark.parametrize("name", NAMES)
TARGETS = targets()


def panels(name: str) -> list[dict[str, Any]]:
    """All panels of a dashboard but the titles of its rows."""
    return [panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row"]


def test_files_are_as_they_are_generated() -> None:
    """Nobody has edited a dashboard in place, or forgotten to write it after a change."""
    there = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert there == files(), "run `python -m deploy.dashboards`"


def test_the_command_says_what_is_old() -> None:
    """With --check it writes nothing, and fails where a file is not as it would be written."""
    command = [sys.executable, "-m", "deploy.dashboards", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "")


@EACH
def test_a_dashboard_can_be_imported(name: str) -> None:
    """A fixed uid and none of this Grafana's ids; refreshed as often as Prometheus scrapes."""
    found = DASHBOARDS[name]
    assert found["uid"] == name
    assert found["id"] is None
    assert found["title"].startswith("Carillon / ")
    assert found["description"].endswith("?")
    assert (found["refresh"], found["schemaVersion"]) == ("15s", 41)
    assert [each["name"] for each in found["templating"]["list"]][:4] == VARIABLES
    assert {each["type"] for each in found["panels"]} <= KINDS


@EACH
def test_whoever_looks_can_choose(name: str) -> None:
    """Every query goes to the chosen data source, and keeps to what is chosen there."""
    found = DASHBOARDS[name]
    chosen = {each["name"] for each in found["templating"]["list"]}
    for panel in panels(name):
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            assert used <= chosen
            assert "carillon_" not in target["expr"] or set(VARIABLES[1:]) <= used


@EACH
def test_panels_explain_themselves(name: str) -> None:
    """Each has a sentence and a unit, a name of its own, and no query twice."""
    for panel in panels(name):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in {*Unit}, panel["title"]
        assert panel["targets"], panel["title"]
        expressions = [target["expr"] for target in panel["targets"]]
        assert len(expressions) == len(set(expressions)), panel["title"]
    titles = Counter(panel["title"] for panel in panels(name))
    assert titles.most_common(1)[0][1] == 1
    ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert len(ids) == len(set(ids))


@EACH
def test_panels_stand_side_by_side(name: str) -> None:
    """None covers another one, sticks out, or leaves a hole above it."""
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]
    rows = {y for _, y in taken}
    assert rows == set(range(max(rows) + 1))


@EACH
def test_colours_begin_with_good(name: str) -> None:
    """Thresholds ascend from green, and the first has no value, as Grafana wants it."""
    for panel in panels(name):
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0] == {"color": "green", "value": None}, panel["title"]
        values = [step["value"] for step in steps[1:]]
        assert values == sorted(set(values)), panel["title"]


@EACH
def test_queries_ask_for_what_there_is(name: str) -> None:
    """It is PromQL, and all metrics, labels and values that it names are in the code."""
    found = {
        (target.name, problem)
        for target in TARGETS
        if target.dashboard == name
        for problem in promql.problems(target.expression)
    }
    assert found == set()


@EACH
def test_annotations_and_variables_ask_for_what_there_is(name: str) -> None:
    """The same of what marks a drain or a rollout, and of what fills the lists above."""
    found = DASHBOARDS[name]
    marks = [each for each in found["annotations"]["list"] if "expr" in each]
    assert [each["name"] for each in marks] == ["Drains", "Rollouts"]
    for mark in marks:
        assert promql.problems(mark["expr"]) == []
        labels = set(re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"]))
        assert labels <= {"instance", "version", "revision"}
    chosen = variables(found, lambda selector, label: ["one", "two"])
    assert chosen["namespace"] == chosen["instance"] == ".*", "matches where there is none, too"
    assert chosen["job"] == "(one|two)", "All is all of the list: others have the same metrics"
    definitions = [each.get("definition", "") for each in found["templating"]["list"]]
    for definition in filter(None, definitions):
        selector, label = definition.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
        assert promql.problems(f"count by ({label}) ({selector})") == []


@EACH
def test_legends_name_what_is_left(name: str) -> None:
    """A line is called by the labels that its query leaves, and by all of them."""
    for target in [each for each in TARGETS if each.dashboard == name and each.labels]:
        lists = re.findall(r"by \(([\w, ]+)\)", target.expression)
        left = {label for labels in lists for label in labels.split(", ")}
        assert set(target.labels) <= left, target.name
        assert left - {"le", "job", "instance"} <= set(target.labels), target.name


def test_every_metric_is_shown() -> None:
    """A metric that no dashboard has is one that nobody looks at."""
    shown = {name for target in TARGETS for name in promql.metrics_of(target.expression)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in promql.catalogue()}
    assert ours - families == set()


def test_every_panel_is_tried() -> None:
    """Of every query it is known what a load makes of it (see `tests.watching`)."""
    assert {(target.dashboard, target.name) for target in TARGETS} == EXPECTED.keys()


def test_the_queries_of_the_document_can_be_asked() -> None:
    """Those for people without Grafana, too, name what there is."""
    rows = re.findall(r"^\| [A-Z][^|]+\? \| `(.+)` \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(rows) > 10
    assert {(row, problem) for row in rows for problem in promql.problems(row)} == set()
