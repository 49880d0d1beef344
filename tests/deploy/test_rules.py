"""The alert and recording rules: read by promtool, tried on series, and held against the code."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.stack.programs import PROMETHEUS, find, install
from tests.deploy import promql

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests/deploy/rules").glob("*.yaml"))
RUNBOOK = "docs/runbook.md"
SEVERITIES = {"critical", "warning"}


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(promql.RULES.read_text())["groups"]:
        yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def cases() -> Iterator[dict[str, Any]]:
    """Every question that the unit tests ask about an alert."""
    for path in CASES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            yield from test.get("alert_rule_test", [])


@pytest.fixture(scope="module")
def promtool() -> str:
    install(PROMETHEUS)
    program = find("promtool")
    assert program is not None, "Debian's package brings it"
    return program


@pytest.mark.servers
def test_promtool_takes_the_rules(promtool: str) -> None:
    """Prometheus can load the file, and each rule's templates."""
    checked = subprocess.run(
        [promtool, "check", "rules", promql.RULES], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.servers
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_alert_fires_when_it_should(promtool: str, path: Path) -> None:
    """Series of a trouble make its alert, in just these words; those of a near miss make none."""
    tried = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_each_alert_is_tried_both_ways() -> None:
    """Every alert has a case in which it fires and one in which it does not."""
    asked = list(cases())
    fires = {case["alertname"] for case in asked if case["exp_alerts"]}
    silent = {case["alertname"] for case in asked if not case["exp_alerts"]}
    assert fires == silent == set(ALERTS)


def test_firing_cases_expect_all_words() -> None:
    """A case that fires says which labels and annotations come with it."""
    for case in cases():
        for expected in case["exp_alerts"]:
            assert expected["exp_labels"]["severity"] in SEVERITIES, case
            assert expected["exp_annotations"].keys() == {"summary", "description", "runbook_url"}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_to_do(name: str) -> None:
    """Each has a severity, two sentences and a place in the runbook that is there."""
    alert = ALERTS[name]
    assert name.startswith("Carillon")
    assert alert["labels"]["severity"] in SEVERITIES
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["description"].endswith(".")
    url, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert url == f"https://github.com/carillon-realtime/carillon/blob/main/{RUNBOOK}"
    assert anchor == name.lower()
    assert f"## {name}\n" in (ROOT / RUNBOOK).read_text()


def test_the_runbook_knows_no_other_alerts() -> None:
    """A section about an alert that is gone would be looked for in vain."""
    headings = [
        line.removeprefix("## ")
        for line in (ROOT / RUNBOOK).read_text().splitlines()
        if line.startswith("## Carillon")
    ]
    assert sorted(headings) == sorted(ALERTS)


def test_the_runbook_names_panels_that_are_there() -> None:
    """What stands in italics is the title of a panel."""
    folder = ROOT / "deploy/k8s/chart/dashboards"
    panels = {
        panel["title"]
        for path in folder.glob("*.json")
        for panel in json.loads(path.read_text())["panels"]
    }
    text = (ROOT / RUNBOOK).read_text()
    named = re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", text)
    assert named
    assert set(named) <= panels


def test_rules_ask_for_what_there_is() -> None:
    """Every metric, label and value that a rule names is exposed by the code, or by a server."""
    found = {
        rule.get("alert") or rule["record"]: problems
        for rule in rules()
        if (problems := promql.problems(rule["expr"]))
    }
    assert not found


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("carillon_gateway_connection", "There is no metric carillon_gateway_connection."),
        ("sum by (code) (carillon_gateway_connections)", "no label code"),
        ('carillon_gateway_gaps_total{cause="erly"}', "no cause 'erly'"),
        ('carillon_fanout_jobs{state=~"runing|planing"}', "no state 'runing|planing'"),
        ("rate(carillon_gateway_users[5m])", "is a gauge"),
        (
            "histogram_quantile(0.9, sum(rate(carillon_gateway_ping_rtt_seconds_bucket[5m])))",
            "no label le",
        ),
        (
            "sum by (job) (carillon_gateway_users) / on (pod) carillon_gateway_users",
            "The left side of / has no label pod.",
        ),
        ('{__name__=~"carillon_.*"}', "A metric is not named"),
        ("sum(", "It cannot be read"),
    ],
)
def test_a_wrong_expression_is_found(expression: str, complaint: str) -> None:
    """What would be an empty panel or an alert that never fires is told in a sentence."""
    assert any(complaint in problem for problem in promql.problems(expression))


@pytest.mark.parametrize(
    "expression",
    [
        'sum by (cause) (rate(carillon_gateway_gaps_total{job=~"$job"}[$__rate_interval]))',
        "histogram_quantile(0.5, sum by (le) (rate(carillon_gateway_ping_rtt_seconds_bucket[5m])))",
        "topk(3, carillon_gateway_users)",
        'namespace:carillon_gateway_connections:sum{namespace="${namespace:raw}"} offset 1h',
        'label_replace(up, "short", "$1", "instance", "(.*):.*")',
        "max_over_time(sum(carillon_gateway_users)[1h:1m])",
    ],
)
def test_a_right_expression_passes(expression: str) -> None:
    """Grafana's variables, subqueries and recorded series are known."""
    assert promql.problems(expression) == []
