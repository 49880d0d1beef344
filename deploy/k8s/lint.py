"""`make k8s-lint`: everything that can be known of the chart without a cluster, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache

import kubernetes_validate  # type: ignore[import-untyped]
from kubernetes_validate import utils

from deploy.k8s import custom, rendered
from deploy.k8s.chart import FOLDER, Object, Refused, Values, lint, load, template
from deploy.k8s.objects import CHECKS, name_of
from deploy.k8s.refusals import refusals
from deploy.k8s.table import Table
from deploy.k8s.tools import tools

__all__ = ["OLDEST", "check", "shape_faults", "versions"]

# Chart.yaml says the same.
OLDEST = (1, 29)
EXAMPLES = ("rabbitmq", "postgresql")

# It would read megabytes of definitions again for each object.
utils.schema_contents = cache(utils.schema_contents)


def versions() -> list[str]:
    """Return the oldest and the newest Kubernetes that the chart is checked against."""
    known = [version for version in utils.all_versions() if numbers(version) >= OLDEST]
    return [known[0], known[-1]]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in utils.major_minor(version).split("."))


def shape_faults(objects: Iterable[Object], version: str) -> Iterator[str]:
    """Yield what a Kubernetes of that version, or an operator, would not take."""
    for found in objects:
        if (found["apiVersion"], found["kind"]) in custom.KINDS:
            words = custom.fault(found)
        else:
            words = kubernetes_fault(found, version)
        if words is not None:
            yield f"{name_of(found)}: {words}"


def kubernetes_fault(found: Object, version: str) -> str | None:
    try:
        kubernetes_validate.validate(found, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(str(step) for step in error.path)}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return str(error.message)
    return None


def check() -> int:
    """Print the table, and return how many rows failed."""
    table = Table(("what", "with", "result"))
    tools()
    for values in Values.all():
        look_at(table, values)
    look_at_manifests(table)
    look_at_examples(table)
    table.title(f"{len(refusals())} files of values that must be refused")
    for refusal in refusals():
        fault = refusal.fault()
        table.row(refusal.name, refusal.by, refusal.sentence, [fault] if fault else [])
    table.title("kubernetes-validate knows no operators' kinds: custom.py says what was looked at.")
    return table.end()


def look_at(table: Table, values: Values) -> None:
    table.title(f"Values: {values.name}")
    try:
        lint(values)
        table.row("helm lint", "--strict", "no error, no warning", [])
        objects = template(values)
    except Refused as error:
        table.row("helm", values.name, "", [str(error)])
        return
    kinds = Counter(each["kind"] for each in objects)
    table.row("helm template", "", f"{len(objects)} objects of {len(kinds)} kinds", [])
    look_at_objects(table, objects)


def look_at_objects(table: Table, objects: list[Object]) -> None:
    ours = [each for each in objects if (each["apiVersion"], each["kind"]) in custom.KINDS]
    known = [each for each in objects if each not in ours]
    for version in versions() if known else ():
        faults = list(shape_faults(known, version))
        words = f"{len(known)} objects are as Kubernetes defines them"
        table.row("kubernetes-validate --strict", utils.major_minor(version), words, faults)
    if ours:
        kinds = ", ".join(sorted({each["kind"] for each in ours}))
        words = f"{len(ours)} have the fields that we know of: {kinds}"
        table.row("operators' kinds", "deploy/k8s/custom.py", words, shape_faults(ours, ""))
    faults = [words for each in CHECKS for words in each(objects)]
    table.row(f"{len(CHECKS)} checks", "deploy/k8s/objects.py", "they fit together", faults)


def look_at_manifests(table: Table) -> None:
    table.title("deploy/k8s/manifests")
    try:
        faults = [f"{name} is not as rendered: run `make k8s-render`" for name in rendered.drift()]
        table.row("drift", "values.yaml", "as the chart renders them", faults)
        applied = []
        for folder in (rendered.PLACE / "migrations", rendered.PLACE):
            applied += rendered.kustomize(folder)
        table.row("kubectl kustomize", "", f"{len(applied)} objects", [])
        look_at_objects(table, applied)
    except Refused as error:
        table.row("helm or kubectl", "", "", [str(error)])


def look_at_examples(table: Table) -> None:
    for name in EXAMPLES:
        table.title(f"deploy/k8s/{name}")
        objects = rendered.kustomize(FOLDER / name)
        for monitor in (FOLDER / name).glob("podmonitor.yaml"):
            objects += load(monitor.read_text())
        kinds = ", ".join(sorted({each["kind"] for each in objects}))
        words = f"{len(objects)} have the fields that we know of: {kinds}"
        table.row("operators' kinds", "deploy/k8s/custom.py", words, shape_faults(objects, ""))
