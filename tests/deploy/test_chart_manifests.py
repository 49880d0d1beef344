"""What is applied without helm: rendered manifests, and examples of a broker and a database."""

from __future__ import annotations

import pytest
import yaml

from deploy.k8s import rendered
from deploy.k8s.chart import CHART, FOLDER, Object, Values, template
from deploy.k8s.lint import shape_faults, versions
from deploy.k8s.objects import CHECKS, containers, of_kind, workloads
from deploy.stack.rabbitmq import ROLES

pytestmark = pytest.mark.thorough

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


@pytest.fixture(scope="module")
def applied() -> list[Object]:
    return [
        *rendered.kustomize(rendered.PLACE / "migrations"),
        *rendered.kustomize(rendered.PLACE),
    ]


def test_no_drift() -> None:
    """The committed files are what the chart renders; `make k8s-render` writes them anew."""
    assert rendered.drift() == []


def test_manifests(applied: list[Object]) -> None:
    """kubectl takes them, and they fit together as the chart's own do."""
    assert [words for check in CHECKS for words in check(applied)] == []
    for version in versions():
        assert list(shape_faults(applied, version)) == []


def test_nothing_is_secret_or_helms(applied: list[Object]) -> None:
    """They hold no Secret, nothing random, and nothing that only helm understands."""
    assert of_kind(applied, "Secret") == []
    assert "helm.sh" not in yaml.safe_dump(applied)
    assert rendered.files() == rendered.files()


def test_everything_is_applied(applied: list[Object]) -> None:
    """Each object of the chart is in one of the two kustomizations."""

    def names(objects: list[Object]) -> list[tuple[str, str]]:
        return sorted((each["kind"], each["metadata"]["name"]) for each in objects)

    assert names(applied) == names(template(rendered.VALUES, namespace=rendered.NAMESPACE))


def example(name: str) -> list[Object]:
    return rendered.kustomize(FOLDER / name)


@pytest.mark.parametrize("name", ["rabbitmq", "postgresql"])
def test_examples(name: str) -> None:
    """Their operators know every field."""
    objects = [
        *example(name),
        *(
            yaml.safe_load(file.read_text())
            for file in (FOLDER / name).glob("*.yaml")
            if file.name == "podmonitor.yaml"
        ),
    ]
    assert list(shape_faults(objects, versions()[-1])) == []


def test_broker_rights() -> None:
    """Each role has on the operator's broker what it has on the stack's, and nothing more."""
    rights = {
        each["spec"]["userReference"]["name"].removeprefix("carillon-"): each["spec"]["permissions"]
        for each in of_kind(example("rabbitmq"), "Permission")
    }
    assert rights == {
        role: {part: f"^({names})$" for part, names in parts.items()}
        for role, parts in ROLES.items()
    }


def test_default_values_are_the_examples() -> None:
    """Whoever applies both examples needs to tell the chart of neither."""
    objects = [*example("rabbitmq"), *example("postgresql")]
    (broker,) = of_kind(objects, "RabbitmqCluster")
    assert VALUES["rabbitmqCluster"]["name"] == broker["metadata"]["name"]
    (vhost,) = of_kind(objects, "Vhost")
    assert VALUES["externalRabbitmq"]["vhost"] == vhost["spec"]["name"]
    for user in of_kind(objects, "User"):
        role = user["metadata"]["name"].removeprefix("carillon-")
        secret = user["spec"]["importCredentialsSecret"]["name"]
        assert VALUES["externalRabbitmq"][role]["existingSecret"] == secret
    (database,) = of_kind(objects, "Cluster")
    secret = f"{database['metadata']['name']}-app"
    assert VALUES["externalPostgresql"]["existingSecret"] == secret
    parameters = database["spec"]["postgresql"]["parameters"]
    assert int(parameters["max_connections"]) == VALUES["externalPostgresql"]["maxConnections"]
    assert parameters["synchronous_commit"] == "on"


def test_roles_have_their_own_accounts() -> None:
    """No process has another role's account: beat and both workers share the worker's."""
    expected = {"gateway": "gateway", "web": "web", "worker": "worker", "bulk": "worker"}
    expected["beat"] = "worker"
    found = {
        container["name"]: variable["valueFrom"]["secretKeyRef"]["name"]
        for each in workloads(template(Values.all()[0]))
        for container in containers(each)
        for variable in container.get("env", [])
        if variable["name"] == "BROKER_PASSWORD"
    }
    assert found == {name: f"carillon-{role}-broker" for name, role in expected.items()}
