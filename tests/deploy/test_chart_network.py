"""The chart's network policies: what must get through does, and nobody else comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.k8s.chart import Object, Values, template
from deploy.k8s.objects import of_kind

# Each starts helm.
pytestmark = pytest.mark.thorough


def rendered(tmp_path: Path, values: dict[str, Any]) -> list[Object]:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    return template(Values("these", file))


def rules(objects: list[Object], direction: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the rules of one direction, each with the name of its policy."""
    return [
        (each["metadata"]["name"], rule)
        for each in of_kind(objects, "NetworkPolicy")
        for rule in each["spec"].get(direction) or []
    ]


def test_nobody_scrapes(tmp_path: Path) -> None:
    """Where nobody may, nobody does: an empty list of sources would mean everybody."""
    objects = rendered(tmp_path, {"networkPolicy": {"metricsFrom": []}})
    for name, rule in rules(objects, "ingress"):
        ports = {port["port"] for port in rule["ports"]}
        assert rule.get("from") or ports == {"http"}, name


def ports_of_servers(objects: list[Object]) -> list[int]:
    (found,) = (rule for name, rule in rules(objects, "egress") if name == "carillon-servers")
    return [port["port"] for port in found["ports"]]


def test_ports_of_urls(tmp_path: Path) -> None:
    """Where a URL says the port, that one is open; each server's usual one where it says none."""
    accounts = {
        "gateway": {"url": "amqps://gateway:password@rabbitmq.example.org/carillon"},
        "web": {"url": "amqp://web:password@rabbitmq.example.org:5679/carillon"},
        "worker": {"url": "amqp://worker:password@rabbitmq.example.org/carillon"},
    }
    url = "postgres://carillon:p:1@a.example.org:6432,b.example.org/carillon?sslmode=require"
    values: dict[str, Any] = {"externalPostgresql": {"url": url}, "externalRabbitmq": accounts}
    assert ports_of_servers(rendered(tmp_path, values)) == [6432, 5432, 5671, 5679, 5672]


def test_ports_of_secrets(tmp_path: Path) -> None:
    """What a Secret holds cannot be seen: the values say the ports."""
    values = {"externalPostgresql": {"port": 6432}, "externalRabbitmq": {"port": 5671}}
    assert ports_of_servers(rendered(tmp_path, values)) == [6432, 5671]


def test_another_nginx(tmp_path: Path) -> None:
    """Without the chart's nginx those come to services who would have come to it."""
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "nginx"}}}
    values = {"nginx": {"enabled": False}, "networkPolicy": {"ingressFrom": [peer]}}
    objects = rendered(tmp_path, values)
    let_in = {rule["ports"][0]["port"]: rule["from"] for _, rule in rules(objects, "ingress")}
    assert peer in let_in["http"]
    assert peer in let_in["websocket"]
    # helm test asks the chart's nginx, so it is not there either.
    assert of_kind(objects, "Pod") == []
