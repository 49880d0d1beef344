"""What Prometheus gets from a running stack."""

from __future__ import annotations

import subprocess

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.stack.programs import PROMETHEUS, find, install
from tests.deploy import promql
from tests.integration.faults import metric
from tests.servers import RunningStack

pytestmark = pytest.mark.servers

SERVICES = ("gateway-1", "web", "worker", "bulk", "beat")


@pytest.fixture(scope="module")
def promtool() -> str:
    install(PROMETHEUS)
    program = find("promtool")
    assert program is not None, "Debian's package brings it"
    return program


@pytest.mark.parametrize("service", SERVICES)
def test_promtool_takes_it(stack: RunningStack, promtool: str, service: str) -> None:
    """Names, types and help are as Prometheus would have them."""
    text = httpx.get(f"{stack.internal_url(service)}/metrics").text
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True
    )
    complaints = [line for line in checked.stderr.splitlines() if line.startswith("carillon_")]
    assert complaints == []
    assert checked.returncode in (0, 3), checked.stdout + checked.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_as_the_catalogue_says(stack: RunningStack, service: str) -> None:
    """Every series has a name of the catalogue, and just its labels."""
    text = httpx.get(f"{stack.internal_url(service)}/metrics").text
    known = promql.catalogue()
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("carillon_") and not sample.name.endswith("_created")
    ]
    assert samples
    for sample in samples:
        assert sample.labels.keys() == known[sample.name], sample


def test_pools_are_watched(stack: RunningStack) -> None:
    """Gateways and web processes tell how many connections they have, and may have."""
    for service in ("gateway-1", "web"):
        held = metric(stack, service, "carillon_db_pool_connections")
        assert 1 <= held <= metric(stack, service, "carillon_db_pool_connections_limit")
    assert metric(stack, "worker", "carillon_db_pool_connections_limit") == 0


def test_others_expose_what_rules_ask_of_them(stack: RunningStack) -> None:
    """RabbitMQ's metrics have the names and labels of the list, in three scrapes; Python's, too."""
    port = stack.stack.layout.rabbitmq_metrics
    detailed = "detailed?family=queue_coarse_metrics&family=queue_consumer_count"
    addresses = [
        f"{stack.internal_url('gateway-1')}/metrics",
        *(f"http://127.0.0.1:{port}/metrics{path}" for path in ("", f"/{detailed}", "/per-object")),
    ]
    found: dict[str, set[str]] = {}
    for address in addresses:
        for family in text_string_to_metric_families(httpx.get(address).text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    expected = {
        name: labels
        for name, labels in promql.THIRD_PARTY.items()
        if name.startswith(("rabbitmq_", "process_", "python_"))
    }
    assert {name: found.get(name) for name in expected} == expected


def test_failures_begin_at_zero(stack: RunningStack) -> None:
    """What has never happened is there, so that its first time is seen."""
    for service, name, labels in (
        ("gateway-1", "carillon_gateway_gaps_total", {"cause": "trimmed"}),
        ("gateway-1", "carillon_gateway_connections_closed_total", {"code": "3008"}),
        ("web", "carillon_tokens_issued_total", {"result": "refused"}),
        ("web", "carillon_broker_publish_errors_total", {"reason": "nacked"}),
        ("worker", "carillon_task_runs_total", {"task": "bulk.drain", "state": "timeout"}),
        ("beat", "carillon_broker_publish_errors_total", {"service": "beat"}),
    ):
        text = httpx.get(f"{stack.internal_url(service)}/metrics").text
        assert any(
            sample.name == name and labels.items() <= sample.labels.items()
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ), name
