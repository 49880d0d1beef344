"""docs/metrics.md and the code: the same metrics, labels and words."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from shared.broker.sender import Failure
from shared.telemetry import metrics
from shared.telemetry.metrics import common, gateway, web, worker
from tests.deploy import promql

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/metrics.md"
SECTIONS = {
    "Every service": common,
    "Gateway": gateway,
    "Web": web,
    "Worker": worker,
}


def rows(subsystem: object) -> list[str]:
    """The table rows that a subsystem's metrics make, by name."""
    made = [each for each in vars(subsystem).values() if isinstance(each, MetricWrapperBase)]
    return sorted(row(each) for each in made)


def row(metric: MetricWrapperBase) -> str:
    name = f"{metric._name}_total" if metric._type == "counter" else metric._name
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    return f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |"


@pytest.mark.parametrize("title", SECTIONS)
def test_the_catalogue_is_complete(title: str) -> None:
    """Each section lists its subsystem's metrics, with type, labels and help as in the code."""
    section = DOCUMENT.read_text().split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    listed = [line for line in section.splitlines() if line.startswith("| `carillon_")]
    assert listed == rows(SECTIONS[title])


def test_others_metrics_are_listed() -> None:
    """What rules and dashboards may ask of other programs stands in the document, too."""
    text = DOCUMENT.read_text()
    assert [name for name in promql.THIRD_PARTY if f"`{name}`" not in text] == []


def test_names_and_labels_keep_the_rules() -> None:
    """Base units and suffixes; no label that Kubernetes puts on targets, and none of a person."""
    for name, labels in promql.catalogue().items():
        assert name.startswith("carillon_")
        assert not name.endswith(("_ms", "_milliseconds", "_minutes", "_kb", "_count_total"))
        assert not labels & {*promql.TARGET, "user", "channel", "room", "ip", "job_id"}, name


def test_gauges_say_how_processes_add_up() -> None:
    """A gauge without a mode would show each process of a forking service by its pid."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase) and metric._type == "gauge":
            assert metric._multiprocess_mode != "all", metric._name


def test_reasons_are_those_of_the_broker() -> None:
    """The series of failures that start at zero are those that the publisher counts."""
    assert {*Failure} == {*metrics.BROKER_PUBLISH_REASONS} - {"task"}
