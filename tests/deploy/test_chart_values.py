"""The chart's values: nothing but what is known, all of it used, and all nonsense refused."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.k8s.chart import CHART, RELEASE, Values, template
from deploy.k8s.objects import of_kind, pod_of
from deploy.k8s.refusals import Refusal, refusals
from deploy.k8s.tools import tools

pytestmark = pytest.mark.thorough

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


@pytest.mark.parametrize("refusal", refusals(), ids=lambda refusal: refusal.name)
def test_refusals(refusal: Refusal) -> None:
    """Values that cannot be meant are refused with a sentence that says which and why."""
    assert refusal.fault() is None


def test_the_schema_refuses_ten() -> None:
    """At least ten files are refused by the schema itself, before any template is looked at."""
    assert sum(refusal.by == "schema" for refusal in refusals()) >= 10


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part of a schema that describes an object."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for name, part in schema.items():
            yield from parts(part, f"{path}/{name}")
    elif isinstance(schema, list):
        for number, part in enumerate(schema):
            yield from parts(part, f"{path}/{number}")


def test_the_schema_is_closed() -> None:
    """A name that is not known is refused wherever values are ours; it says where they are not."""
    for path, schema in parts(SCHEMA):
        extra = schema.get("additionalProperties")
        assert extra is False or isinstance(extra, dict) or "$comment" in schema, path


def known(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return known(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]])
    return schema


def test_the_schema_knows_all_values() -> None:
    """values.yaml names everything that may be set, and the schema nothing else."""

    def compare(values: dict[str, Any], schema: dict[str, Any], path: str) -> None:
        properties = schema.get("properties")
        if properties is None:
            return
        assert set(values) == set(properties), path
        for name, value in values.items():
            part = known(properties[name])
            # What is a list, or Kubernetes' own, has parts that are not there by default.
            if isinstance(value, dict) and value:
                compare(value, part, f"{path}.{name}")

    compare(VALUES, SCHEMA, "")


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from leaves(value, (*path, name))
    else:
        yield path


def test_all_values_are_used() -> None:
    """No value is there for nothing: a template asks for each of them, or for what holds it."""
    text = "".join(path.read_text() for path in (CHART / "templates").rglob("*.*"))
    words = set(re.findall(r"\.([A-Za-z]+)", text)) | set(re.findall(r'"([A-Za-z]+)"', text))
    # These are handed on whole.
    whole = {"resources", "behavior", "securityContext", "metricsFrom", "labels"}
    unused = [path for path in leaves(VALUES) if not whole & set(path) and path[-1] not in words]
    assert unused == []


def test_database_connections(tmp_path: Path) -> None:
    """The notes say how many connections to PostgreSQL the pods can take together."""
    file = tmp_path / "values.yaml"
    file.write_text(
        "config: {web: {workers: 3}, gateway: {databaseThreads: 6}}\n"
        "gateway: {replicas: 3}\nworkers: {bulk: {concurrency: 4}}\n"
    )
    command = [str(tools().helm), "install", RELEASE, str(CHART), "--dry-run=client"]
    # No cluster is asked: this says where none is.
    environment = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)}
    result = subprocess.run(
        [*command, "--values", str(file)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    told = re.search(r"PostgreSQL must take (\d+) connections", result.stdout)
    assert told is not None
    most = 3
    for found in of_kind(template(Values("these", file)), "Deployment"):
        container = pod_of(found)["containers"][0]
        environment = {each["name"]: each.get("value", "") for each in container["env"]}
        each = {
            "gateway": lambda: int(environment["CARILLON_GATEWAY_DATABASE_THREADS"]) + 1,
            "web": lambda: int(environment["CARILLON_WEB_WORKERS"]) * 4 + 1,
            "worker": lambda: children(container) + 2,
            "bulk": lambda: children(container) + 2,
        }.get(container["name"])
        # A rollout has old pods and new ones.
        most += 2 * found["spec"]["replicas"] * each() if each else 0
    assert int(told[1]) == most


def test_the_documents_values(tmp_path: Path) -> None:
    """Whatever values the guide shows render, over those that it installs with."""
    text = (CHART.parents[2] / "docs/deploy-kubernetes.md").read_text()
    blocks = [
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
    ]
    (install,) = (block for block in blocks if "config" in block)
    first = tmp_path / "install.yaml"
    first.write_text(yaml.safe_dump(install))
    for number, block in enumerate(blocks):
        assert set(block) <= set(VALUES)
        second = tmp_path / f"{number}.yaml"
        second.write_text(yaml.safe_dump(block))
        assert template(Values("installed", first), "--values", str(second))
    assert len(blocks) == 3


def children(container: Any) -> int:
    return int(container["args"][container["args"].index("--concurrency") + 1])
