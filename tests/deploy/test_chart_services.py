"""What the chart tells services and nginx, told to them: they take every word of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.k8s.chart import Object, Values, template
from deploy.k8s.objects import containers, of_kind

# Each starts helm and a Python.
pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]
ALL = Values.all()
every_values = pytest.mark.parametrize("values", ALL, ids=lambda values: values.name)

# What is in Secrets, by the variable that it goes into.
SECRETS = {
    "CARILLON_SECRET_KEY": "f0a1" * 16,
    "CARILLON_SECRET_KEY_FALLBACKS": "e0a2" * 16,
    "CARILLON_TOKEN_SECRETS": "d0a3" * 16,
    "DATABASE_URL": "postgres://carillon:secret@carillon-postgresql-rw:5432/carillon",
    "BROKER_URL": "amqp://gateway:c0a4@carillon-rabbitmq:5672/carillon",
    "BROKER_USERNAME": "gateway",
    "BROKER_PASSWORD": "c0a4c0a4",
    "CARILLON_GATEWAY_ID": "carillon-gateway-5c6d7e8f9-abcde",
    "SHOP_KEY": "a shop's",
}
LOOK = """
import json
from django.conf import settings
from shared.settings import production
print(json.dumps({
    "refused": [refusal.sentence for refusal in production.refusals()],
    "broker": settings.BROKER_URL,
    "drain": getattr(settings, "CARILLON_GATEWAY_DRAIN_SECONDS", None),
    "origins": settings.CARILLON_PUBLIC_ORIGINS,
}))
"""


def environment(objects: list[Object], component: str) -> dict[str, str]:
    """Return a container's variables as the kubelet would make them."""
    name = f"carillon-{component}"
    (found,) = (each for each in of_kind(objects, "Deployment") if each["metadata"]["name"] == name)
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(objects, "ConfigMap")}
    container: Any = containers(found)[-1]
    made: dict[str, str] = {}
    for source in container.get("envFrom", []):
        made |= maps[source["configMapRef"]["name"]]
    for variable in container["env"]:
        text = variable.get("value", SECRETS.get(variable["name"], ""))
        made[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: made[match[1]], text)
    return made


@pytest.mark.parametrize("component", ["gateway", "web", "worker"])
@every_values
def test_services(values: Values, component: str, tmp_path: Path) -> None:
    """Each service reads its variables without a complaint, and would start with them."""
    given = environment(template(values), component)
    service = component if component in {"gateway", "web"} else "worker"
    # A team's apps are in its images, and its folder of metrics in its pods.
    given |= {"CARILLON_APPS": "", "DJANGO_SETTINGS_MODULE": f"services.{service}.settings"}
    if "PROMETHEUS_MULTIPROC_DIR" in given:
        given["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path)
    result = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout.splitlines()[-1])
    assert seen["refused"] == []
    assert "c0a4" in seen["broker"] or "password" in seen["broker"]
    assert seen["origins"] == given["CARILLON_PUBLIC_ORIGINS"].split(",")
    if component == "gateway":
        assert seen["drain"] == int(given["CARILLON_GATEWAY_DRAIN_SECONDS"]) >= 60


@every_values
def test_nginx(values: Values) -> None:
    """The image's entrypoint writes a configuration of them that leads to the Services."""
    objects = template(values)
    result = subprocess.run(
        [str(ROOT / "deploy/nginx/entrypoint"), "--print"],
        env={"PATH": os.environ["PATH"], **environment(objects, "nginx")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    services = {
        f"{each['metadata']['name']}:{port['port']}"
        for each in of_kind(objects, "Service")
        for port in each["spec"]["ports"]
    }
    led_to = set(re.findall(r"^\s+server ([^; ]+:\d+)[; ]", result.stdout, re.MULTILINE))
    assert led_to == {"carillon-web:8000", "carillon-gateway:8000"}
    assert led_to <= services
