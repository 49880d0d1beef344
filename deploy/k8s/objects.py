"""
What must hold of rendered objects beyond their shape: that they find each other, and are safe.

Each check takes all objects of one rendering and yields a sentence for each fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from deploy.k8s.chart import Object

__all__ = ["CHECKS", "Check", "containers", "name_of", "of_kind", "pod_of", "workloads"]

type Check = Callable[[list[Object]], Iterator[str]]

# What a selector may hold: it can never be changed, so nothing that an upgrade changes.
SELECTORS = {f"app.kubernetes.io/{word}" for word in ("name", "instance", "component")}
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "Pod")
USER = 10001
# Between what is waited for and a SIGKILL.
REST_SECONDS = 15


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [found for found in objects if found["kind"] in kinds]


def workloads(objects: list[Object]) -> list[Object]:
    """Return what makes pods, and pods."""
    return of_kind(objects, *WORKLOADS)


def name_of(found: Object) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


def pod_of(found: Object) -> Any:
    """Return the pod's specification."""
    return found["spec"] if found["kind"] == "Pod" else found["spec"]["template"]["spec"]


def labels_of(found: Object) -> dict[str, str]:
    """Return the labels of the pods."""
    whole = found if found["kind"] == "Pod" else found["spec"]["template"]
    labels: dict[str, str] = whole["metadata"].get("labels", {})
    return labels


def containers(found: Object) -> list[Any]:
    pod = pod_of(found)
    return [*pod.get("initContainers", []), *pod["containers"]]


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())


def names_are_unique(objects: list[Object]) -> Iterator[str]:
    """No object comes twice: the second would replace the first."""
    seen: set[tuple[str, str]] = set()
    for found in objects:
        key = (found["kind"], found["metadata"]["name"])
        if key in seen:
            yield f"{name_of(found)} is there twice"
        seen.add(key)


def selectors_stay(objects: list[Object]) -> Iterator[str]:
    """Selectors hold what never changes, and select the very pods that they are for."""
    for found in of_kind(objects, "Deployment"):
        selector = found["spec"]["selector"]["matchLabels"]
        if set(selector) != SELECTORS:
            yield f"{name_of(found)} selects by {sorted(selector)}"
        if not selects(selector, labels_of(found)):
            yield f"{name_of(found)} does not select its own pods"
    for found in of_kind(objects, "Service", "PodDisruptionBudget"):
        selector = found["spec"]["selector"]
        selector = selector.get("matchLabels", selector)
        chosen = [each for each in workloads(objects) if selects(selector, labels_of(each))]
        if len(chosen) != 1:
            yield f"{name_of(found)} selects {[name_of(each) for each in chosen]}"
        elif found["kind"] == "Service":
            ports = {
                port["name"] for each in containers(chosen[0]) for port in each.get("ports", [])
            }
            for port in found["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    yield f"{name_of(found)} leads to {port['targetPort']!r}, which is no port"


def scaling_finds_its_target(objects: list[Object]) -> Iterator[str]:
    """An autoscaler has a Deployment, and that one does not say how many it is."""
    deployments = {each["metadata"]["name"]: each for each in of_kind(objects, "Deployment")}
    scaled = []
    for found in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        target = found["spec"]["scaleTargetRef"]["name"]
        scaled.append(target)
        if target not in deployments:
            yield f"{name_of(found)} scales {target}, which is not there"
        elif "replicas" in deployments[target]["spec"]:
            yield f"Deployment {target} has replicas, and {name_of(found)} sets them, too"
    for target in deployments.keys() - set(scaled):
        if "replicas" not in deployments[target]["spec"]:
            yield f"Deployment {target} says not how many it is, and nothing else does"
    for target in {target for target in scaled if scaled.count(target) > 1}:
        yield f"Deployment {target} is scaled by more than one"


def images_have_versions(objects: list[Object]) -> Iterator[str]:
    """Each image has a tag that stays, or a digest."""
    for found in workloads(objects):
        for container in containers(found):
            image = container["image"]
            if not re.search(r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", image) or image.endswith(
                "latest"
            ):
                yield f"{name_of(found)} runs {image}"


def pods_are_locked(objects: list[Object]) -> Iterator[str]:
    """As the restricted Pod Security Standard wants it, and a root that cannot be written."""
    for found in workloads(objects):
        pod = pod_of(found)
        security = pod["securityContext"]
        if not security["runAsNonRoot"] or security.get("runAsUser", USER) != USER:
            yield f"{name_of(found)} may run as root"
        if security["seccompProfile"]["type"] != "RuntimeDefault":
            yield f"{name_of(found)} may call whatever the kernel has"
        if pod["automountServiceAccountToken"] is not False:
            yield f"{name_of(found)} has a token for Kubernetes"
        for container in containers(found):
            own = container["securityContext"]
            locked = (
                own["allowPrivilegeEscalation"] is False
                and own["readOnlyRootFilesystem"] is True
                and own["capabilities"] == {"drop": ["ALL"]}
            )
            if not locked:
                yield f"{name_of(found)} is not locked: {own}"
            if not container["resources"].get("requests"):
                yield f"{name_of(found)} requests no resources"


def drains_end(objects: list[Object]) -> Iterator[str]:
    """Whoever is told to go has the time that it takes."""
    for found in of_kind(objects, "Deployment"):
        pod = pod_of(found)
        for container in pod["containers"]:
            hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {})
            sleep = int(hook.get("command", ["sleep", "0"])[1])
            variables = {each["name"]: each.get("value") for each in container.get("env", [])}
            drain = int(variables.get("CARILLON_GATEWAY_DRAIN_SECONDS") or 0)
            needed = sleep + drain + REST_SECONDS
            if pod["terminationGracePeriodSeconds"] < needed:
                yield f"{name_of(found)} needs {needed} s to end"


def secrets_are_secret(objects: list[Object]) -> Iterator[str]:
    """No password stands in the open, and each reference to our own Secret finds its key."""
    own = {each["metadata"]["name"]: each.get("data", {}) for each in of_kind(objects, "Secret")}
    for found in of_kind(objects, "ConfigMap"):
        for key, text in found["data"].items():
            if re.search(r"SECRET|PASSWORD|DATABASE_URL|BROKER_URL", key):
                yield f"{name_of(found)} holds {key}"
            if re.search(r"[a-z]+://[^/\s:]+:[^/\s@$]+@", text):
                yield f"{name_of(found)} holds a password in {key}"
    for found in workloads(objects):
        for container in containers(found):
            for variable in container.get("env", []):
                if re.search(r"://[^/:]+:[^$/@][^/@]*@", variable.get("value", "")):
                    yield f"{name_of(found)} has a password in {variable['name']}"
                wanted = variable.get("valueFrom", {}).get("secretKeyRef")
                if wanted is None or wanted["name"] not in own or wanted.get("optional"):
                    continue
                if wanted["key"] not in own[wanted["name"]]:
                    yield f"{name_of(found)} wants {wanted['key']}, which its Secret has not"


def configuration_is_there(objects: list[Object]) -> Iterator[str]:
    """Each ConfigMap that pods take variables from is rendered; no variable comes twice."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(objects, "ConfigMap")}
    for found in workloads(objects):
        for container in containers(found):
            names = [variable["name"] for variable in container.get("env", [])]
            for source in container.get("envFrom", []):
                if (wanted := source["configMapRef"]["name"]) in maps:
                    names += maps[wanted]
                else:
                    yield f"{name_of(found)} wants ConfigMap {wanted}, which is not there"
            for name in sorted({name for name in names if names.count(name) > 1}):
                yield f"{name_of(found)} sets {name} twice"


def monitors_find_ports(objects: list[Object]) -> Iterator[str]:
    """What is to be scraped is there, under the job that rules and dashboards ask for."""
    for found in of_kind(objects, "PodMonitor", "ServiceMonitor"):
        spec = found["spec"]
        selector = spec["selector"]["matchLabels"]
        if found["kind"] == "PodMonitor":
            endpoints = spec["podMetricsEndpoints"]
            ports = {
                port["name"]
                for each in workloads(objects)
                if selects(selector, labels_of(each))
                for container in containers(each)
                for port in container.get("ports", [])
            }
        else:
            endpoints = spec["endpoints"]
            ports = {
                port["name"]
                for each in of_kind(objects, "Service")
                if selects(selector, each["metadata"]["labels"])
                for port in each["spec"]["ports"]
            }
        for endpoint in endpoints:
            if endpoint["port"] not in ports:
                yield f"{name_of(found)} scrapes {endpoint['port']!r}, which is no port"
            jobs = [
                each["replacement"]
                for each in endpoint["relabelings"]
                if each.get("targetLabel") == "job"
            ]
            if jobs != [found["metadata"]["name"]]:
                yield f"{name_of(found)} calls its job {jobs}"


CHECKS: tuple[Check, ...] = (
    names_are_unique,
    selectors_stay,
    scaling_finds_its_target,
    images_have_versions,
    pods_are_locked,
    drains_end,
    secrets_are_secret,
    configuration_is_there,
    monitors_find_ports,
)
