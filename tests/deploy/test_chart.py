"""The chart: what it renders is what Kubernetes takes, and names what is there in the code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.k8s.chart import CHART, Object, Refused, Values, lint, template
from deploy.k8s.lint import OLDEST, shape_faults, versions
from deploy.k8s.objects import CHECKS, Check, containers, name_of, of_kind, pod_of, workloads
from shared.broker.topology import TASK_QUEUES
from tests.deploy import promql

# Each starts helm.
pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]
ALL = Values.all()
DEFAULT, KEDA, HA, GATEWAY_API, MINIMAL = (
    next(values for values in ALL if word in values.name)
    for word in ("default", "keda", "ha-", "gateway-api", "minimal")
)
every_values = pytest.mark.parametrize("values", ALL, ids=lambda values: values.name)

VARIABLE = re.compile(r"\b(?:CARILLON_[A-Z0-9_]+|DATABASE_URL|BROKER_URL|PROMETHEUS_MULTIPROC_DIR)")
# What a cluster never has, and what is for a checkout or a single host.
NEVER = {"CARILLON_DEMO", "CARILLON_DEBUG"}
ELSEWHERE = {"CARILLON_PORT", "CARILLON_BASE_PORT", "CARILLON_STATE_DIR"}
# Half of BROKER_URL each; Django's own.
PARTS = {"BROKER_USERNAME", "BROKER_PASSWORD", "DJANGO_SETTINGS_MODULE"}


@cache
def rendered(values: Values) -> list[Object]:
    return template(values)


def variables(objects: list[Object]) -> Iterator[tuple[str, str]]:
    """Yield each variable that a container gets, and what gets it."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(objects, "ConfigMap")}
    for found in workloads(objects):
        for container in containers(found):
            for variable in container.get("env", []):
                yield variable["name"], name_of(found)
            for source in container.get("envFrom", []):
                for name in maps[source["configMapRef"]["name"]]:
                    yield name, name_of(found)


def deployment(objects: list[Object], component: str) -> Any:
    name = f"carillon-{component}"
    (found,) = (each for each in of_kind(objects, "Deployment") if each["metadata"]["name"] == name)
    return found


@every_values
def test_rendering(values: Values) -> None:
    """Helm has no complaint, and everything rendered fits together."""
    lint(values)
    assert [words for check in CHECKS for words in check(rendered(values))] == []


@pytest.mark.parametrize("version", versions())
@every_values
def test_shapes(values: Values, version: str) -> None:
    """The oldest and the newest Kubernetes take all objects, and operators theirs."""
    assert list(shape_faults(rendered(values), version)) == []


def test_versions() -> None:
    """The oldest Kubernetes that is checked is the oldest that the chart may be installed in."""
    oldest = ".".join(str(number) for number in OLDEST)
    assert versions()[0].startswith(f"{oldest}.")
    template(DEFAULT, "--kube-version", f"{oldest}.0")
    with pytest.raises(Refused, match="kubeVersion"):
        template(DEFAULT, "--kube-version", f"{OLDEST[0]}.{OLDEST[1] - 1}.0")
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert about["appVersion"] == project["version"]


@every_values
def test_variables_exist(values: Values) -> None:
    """Whatever the chart sets is a setting that the documents explain."""
    explained = set(VARIABLE.findall((ROOT / "docs/settings.md").read_text()))
    explained |= set(VARIABLE.findall((ROOT / "deploy/nginx/settings.awk").read_text()))
    ours = {name for name, _ in variables(rendered(values))} - PARTS - {"TZ"}
    assert {name for name in ours if not name.startswith("SHOP_")} - explained == set()


def test_settings_are_within_reach() -> None:
    """Every setting that is documented is set by the chart, or can be by its values."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    settable = {name for values in ALL for name, _ in variables(rendered(values))}
    assert set(rows) - settable - ELSEWHERE == NEVER


@every_values
def test_probes_are_answered(values: Values) -> None:
    """Probes ask for paths that services and nginx have, at the port that they are told to have."""
    from shared.telemetry import health

    known = {"/livez", "/readyz"}
    assert all(f'"{path}"' in Path(health.__file__).read_text() for path in known)
    assert "location = /livez" in (ROOT / "deploy/nginx/carillon.conf.template").read_text()
    for found in of_kind(rendered(values), "Deployment"):
        for container in pod_of(found)["containers"]:
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert ports["internal"] == 9000
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = container[probe]["httpGet"]
                paths = {"/livez"} if container["name"] == "nginx" else known
                assert asked["path"] in paths
                assert asked["port"] == "internal"


def test_waiting_is_no_crash() -> None:
    """Whoever waits for a database is not restarted: only readiness asks for one."""
    for found in of_kind(rendered(DEFAULT), "Deployment"):
        for container in pod_of(found)["containers"]:
            assert container["startupProbe"]["httpGet"]["path"] == "/livez"
            assert container["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_draining_gateways_get_nobody() -> None:
    """A gateway is out of its Service when it drains: within ten seconds, and never against it."""
    container = pod_of(deployment(rendered(DEFAULT), "gateway"))["containers"][0]
    readiness = container["readinessProbe"]
    assert readiness["httpGet"]["path"] == "/readyz"
    assert readiness["periodSeconds"] * readiness["failureThreshold"] <= 10
    services = {each["metadata"]["name"]: each for each in of_kind(rendered(DEFAULT), "Service")}
    assert services["carillon-gateway"]["spec"]["publishNotReadyAddresses"] is False


def test_queues_are_consumed() -> None:
    """Both workers together consume every queue that tasks are sent to."""
    consumed = []
    for component in ("worker", "bulk"):
        arguments = pod_of(deployment(rendered(DEFAULT), component))["containers"][0]["args"]
        consumed += arguments[arguments.index("--queues") + 1].split(",")
    assert sorted(consumed) == sorted(queue.name for queue in TASK_QUEUES)
    for found in of_kind(rendered(KEDA), "ScaledObject"):
        for trigger in found["spec"]["triggers"]:
            if trigger["type"] == "rabbitmq":
                assert trigger["metadata"]["queueName"] in consumed


def test_scaling_asks_for_what_is_there() -> None:
    """KEDA and the autoscaler ask for a metric of the catalogue, under the job that is scraped."""
    objects = rendered(KEDA)
    (scaled,) = (each for each in of_kind(objects, "ScaledObject") if "gateway" in name_of(each))
    (asked,) = (each for each in scaled["spec"]["triggers"] if each["type"] == "prometheus")
    query = asked["metadata"]["query"]
    assert list(promql.problems(query)) == []
    (monitor,) = (each for each in of_kind(objects, "PodMonitor") if "gateway" in name_of(each))
    (label,) = monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]
    assert f'job="{label["replacement"]}"' in query
    assert 'namespace="default"' in query
    (autoscaler,) = of_kind(rendered(GATEWAY_API), "HorizontalPodAutoscaler")
    (metric,) = (each for each in autoscaler["spec"]["metrics"] if each["type"] == "Pods")
    assert metric["pods"]["metric"]["name"] in promql.catalogue()


def test_scaling_down_is_slow() -> None:
    """Gateways are added at once and taken away one by one, a quarter of an hour later."""
    for values, kind in ((KEDA, "ScaledObject"), (GATEWAY_API, "HorizontalPodAutoscaler")):
        (found,) = (each for each in of_kind(rendered(values), kind) if "gateway" in name_of(each))
        spec = found["spec"]
        if kind == "ScaledObject":
            spec = spec["advanced"]["horizontalPodAutoscalerConfig"]
        assert spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 0
        down = spec["behavior"]["scaleDown"]
        assert down["stabilizationWindowSeconds"] == 900
        assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]


def test_there_is_one_clock() -> None:
    """The old beat ends before the new one starts."""
    spec = deployment(rendered(DEFAULT), "beat")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_selectors_outlive_versions(tmp_path: Path) -> None:
    """Another version, image and label leave every selector as it was."""
    file = tmp_path / "values.yaml"
    file.write_text("image: {tag: 9.9.9}\ncommonLabels: {team: chat}\nweb: {labels: {tier: two}}\n")

    def selectors(values: Values) -> dict[str, Any]:
        found = of_kind(template(values), "Deployment", "Service", "PodDisruptionBudget")
        return {name_of(each): each["spec"]["selector"] for each in found}

    assert selectors(Values("other", file)) == selectors(DEFAULT)


def test_names_of_a_long_release() -> None:
    """However long the release's name, those of Services, labels and pods are short enough."""
    objects = template(KEDA, release="r" * 53)
    for found in objects:
        assert len(found["metadata"]["name"]) <= 63
        assert all(len(value) <= 63 for value in found["metadata"]["labels"].values())
    # A ReplicaSet's and a pod's own suffix come behind.
    assert all(len(each["metadata"]["name"]) <= 47 for each in of_kind(objects, "Deployment"))


def test_migrations_come_first() -> None:
    """The Job has what it needs before anything of the release is there."""
    objects = rendered(DEFAULT)
    (job,) = of_kind(objects, "Job")
    weights = {}
    for found in objects:
        notes = found["metadata"].get("annotations", {})
        if "pre-install" in notes.get("helm.sh/hook", ""):
            weights[found["kind"]] = int(notes["helm.sh/hook-weight"])
            assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert weights["Secret"] < weights["Job"]
    (container,) = containers(job)
    assert "envFrom" not in container
    own = {
        each["valueFrom"]["secretKeyRef"]["name"]
        for each in container["env"]
        if each["name"] == "CARILLON_SECRET_KEY"
    }
    assert own == {"carillon-migrations"}
    assert "serviceAccountName" not in pod_of(job)


def test_migrations_in_each_pod() -> None:
    """Without hooks, each of Carillon's pods migrates before it starts, and no Job is there."""
    objects = rendered(MINIMAL)
    assert of_kind(objects, "Job") == []
    for found in of_kind(objects, "Deployment"):
        names = [each["name"] for each in pod_of(found).get("initContainers", [])]
        assert names == ([] if "nginx" in name_of(found) else ["migrations"])


def test_the_key_is_made_once() -> None:
    """A key is made where none is given, the same in both Secrets, and another one elsewhere."""
    keys = [
        [each["data"]["secret-key"] for each in of_kind(template(DEFAULT), "Secret")]
        for _ in range(2)
    ]
    assert all(len(set(each)) == 1 for each in keys)
    assert keys[0] != keys[1]
    assert of_kind(rendered(HA), "Secret") == []


def test_rules_and_dashboards_are_the_files() -> None:
    """The PrometheusRule and the ConfigMaps hold the very files that other deployments use."""
    objects = rendered(HA)
    (rule,) = of_kind(objects, "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((CHART / "rules/carillon.yaml").read_text())
    held = {
        name: text
        for each in of_kind(objects, "ConfigMap")
        for name, text in each["data"].items()
        if name.endswith(".json")
    }
    files = {path.name: path.read_text() for path in (CHART / "dashboards").glob("*.json")}
    assert {name: text.strip() for name, text in held.items()} == {
        name: text.strip() for name, text in files.items()
    }


def test_monitors_know_each_component() -> None:
    """With monitoring on, every process of Carillon is scraped under a job of its own."""
    jobs = {each["metadata"]["name"] for each in of_kind(rendered(HA), "PodMonitor")}
    jobs |= {each["metadata"]["name"] for each in of_kind(rendered(HA), "ServiceMonitor")}
    assert jobs == {f"carillon-{word}" for word in ("gateway", "web", "worker", "bulk", "beat")}


def break_a_selector(objects: list[Object]) -> None:
    deployment(objects, "web")["spec"]["selector"]["matchLabels"]["version"] = "0.1.0"


def forget_a_port(objects: list[Object]) -> None:
    pod_of(deployment(objects, "gateway"))["containers"][0]["ports"].pop(0)


def hurry(objects: list[Object]) -> None:
    pod_of(deployment(objects, "gateway"))["terminationGracePeriodSeconds"] = 30


def take_the_latest(objects: list[Object]) -> None:
    pod_of(deployment(objects, "beat"))["containers"][0]["image"] = "carillon/worker:latest"


def unlock(objects: list[Object]) -> None:
    pod = pod_of(deployment(objects, "web"))
    pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False


def tell_a_secret(objects: list[Object]) -> None:
    (found,) = of_kind(objects, "ConfigMap")
    found["data"]["SHOP"] = "amqp://carillon:secret@rabbitmq/carillon"


def lose_a_key(objects: list[Object]) -> None:
    for found in of_kind(objects, "Secret"):
        found["data"].clear()


def scale_twice(objects: list[Object]) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "carillon-web"}
    spec = {"scaleTargetRef": target}
    metadata = {"name": "carillon-web"}
    objects.append({"kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec})


def set_twice(objects: list[Object]) -> None:
    environment = pod_of(deployment(objects, "web"))["containers"][0]["env"]
    environment.append({"name": "CARILLON_LOG_LEVEL", "value": "DEBUG"})


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (break_a_selector, "Deployment carillon-web selects by"),
        (forget_a_port, "Service carillon-gateway leads to 'websocket', which is no port"),
        (hurry, "Deployment carillon-gateway needs 80 s to end"),
        (take_the_latest, "Deployment carillon-beat runs carillon/worker:latest"),
        (unlock, "Deployment carillon-web is not locked"),
        (tell_a_secret, "ConfigMap carillon holds a password in SHOP"),
        (lose_a_key, "Deployment carillon-web wants secret-key, which its Secret has not"),
        (scale_twice, "Deployment carillon-web has replicas, and HorizontalPodAutoscaler"),
        (set_twice, "Deployment carillon-web sets CARILLON_LOG_LEVEL twice"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_faults_are_found(spoil: Check, sentence: str) -> None:
    """The checks of `make k8s-lint` see what is wrong when something is."""
    objects = template(DEFAULT)
    spoil(objects)
    assert any(sentence in words for check in CHECKS for words in check(objects))


def test_typos_in_operators_objects_are_found() -> None:
    """A field that an operator does not know is a fault, as it is in Kubernetes' own objects."""
    objects = template(KEDA)
    assert list(shape_faults(objects, versions()[0])) == []
    scaled = of_kind(objects, "ScaledObject")[0]
    scaled["spec"]["minReplicas"] = scaled["spec"].pop("minReplicaCount")
    deployment(objects, "web")["spec"]["minReadySecond"] = 5
    faults = list(shape_faults(objects, versions()[0]))
    assert len(faults) == 2
    assert any("minReplicas" in words for words in faults)
    assert any("minReadySecond" in words for words in faults)
