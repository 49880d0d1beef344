"""The chart where pods come and go by themselves: nobody loses a connection for nothing."""

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


def named(objects: list[Object], kind: str, name: str) -> Any:
    (found,) = (each for each in of_kind(objects, kind) if each["metadata"]["name"] == name)
    return found["spec"]


def test_full_gateways_are_not_evicted_together() -> None:
    """A gateway that is full is not ready, and has more connections than any other."""
    objects = template(Values.all()[0])
    policies = {
        component: named(objects, "PodDisruptionBudget", f"carillon-{component}")[
            "unhealthyPodEvictionPolicy"
        ]
        for component in ("gateway", "web", "nginx", "worker")
    }
    assert policies.pop("gateway") == "IfHealthyBudget"
    assert set(policies.values()) == {"AlwaysAllow"}


def test_nginx_is_taken_away_slowly(tmp_path: Path) -> None:
    """Each of its pods that goes cuts every connection through it: one at a time, and late."""
    values = {part: {"autoscaling": {"mode": "hpa"}} for part in ("nginx", "web")}
    objects = rendered(tmp_path, values | {"externalPostgresql": {"maxConnections": 400}})
    down = named(objects, "HorizontalPodAutoscaler", "carillon-nginx")["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] == 900
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    assert "behavior" not in named(objects, "HorizontalPodAutoscaler", "carillon-web")


def test_query_of_yours(tmp_path: Path) -> None:
    """PromQL has two kinds of quotes; KEDA gets what was written."""
    query = """sum(carillon_gateway_connections{job='chat',cluster="one"}) > 0"""
    keda = {"prometheusAddress": "http://prometheus:9090", "query": query}
    values = {"gateway": {"autoscaling": {"mode": "keda", "maxReplicas": 3, "keda": keda}}}
    objects = rendered(tmp_path, values)
    trigger = named(objects, "ScaledObject", "carillon-gateway")["triggers"][0]
    assert trigger["metadata"]["query"] == query
