"""
The chart where a cluster can be asked: what it finds there is kept.

The cluster answers what helm asks before it would write: which kinds it knows, and a Secret.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.k8s.chart import CHART, RELEASE, Object, Values, load, template
from deploy.k8s.objects import of_kind
from deploy.k8s.tools import tools

pytestmark = pytest.mark.thorough

KEY = "a key that was made at the first install, long ago"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": RELEASE,
        "namespace": "default",
        # Helm takes over nothing that it has not made.
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {
            "meta.helm.sh/release-name": RELEASE,
            "meta.helm.sh/release-namespace": "default",
        },
    },
    "data": {"secret-key": base64.b64encode(KEY.encode()).decode()},
}


def answers(*, has_secret: bool) -> dict[str, Any]:
    """Return what a cluster says, by path: it knows all kinds of the default values."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for found in template(Values.all()[0]):
        kinds[found["apiVersion"]].add(found["kind"])
    # Whatever is not a mere rendering has this one.
    kinds["apiregistration.k8s.io/v1"].add("APIService")
    groups = []
    known: dict[str, Any] = {
        "/version": {"major": "1", "minor": "31", "gitVersion": "v1.31.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
    }
    for version, names in kinds.items():
        group, _, number = version.rpartition("/")
        if group:
            entry = {"groupVersion": version, "version": number}
            groups.append({"name": group, "versions": [entry], "preferredVersion": entry})
        known[f"/{'apis' if group else 'api'}/{version}"] = {
            "kind": "APIResourceList",
            "groupVersion": version,
            "resources": [resource(name) for name in sorted(names)],
        }
    known["/apis"] = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if has_secret:
        known[f"/api/v1/namespaces/default/secrets/{RELEASE}"] = SECRET
    return known


def resource(kind: str) -> dict[str, Any]:
    plural = f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"
    names = {"name": plural, "singularName": kind.lower(), "kind": kind}
    return {**names, "namespaced": True, "verbs": ["get", "list"]}


class Cluster:
    """Answers helm's questions, and says of all else that it is not there."""

    def __init__(self, place: Path, *, has_secret: bool) -> None:
        known = answers(has_secret=has_secret)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = known.get(self.path.partition("?")[0])
                missing = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
                body = json.dumps(missing if found is None else found).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._place = place
        url = f"http://127.0.0.1:{self._server.server_port}"
        configuration = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": url}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        (place / "kubeconfig").write_text(json.dumps(configuration))

    def template(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Render as an upgrade does, with the cluster's answers."""
        command = [str(tools().helm), "template", RELEASE, str(CHART), "--dry-run=server"]
        return subprocess.run(
            [*command, "--disable-openapi-validation", *arguments],
            env={"KUBECONFIG": str(self._place / "kubeconfig"), "HOME": str(self._place)},
            capture_output=True,
            text=True,
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


ORIGIN = ("--set", "config.publicOrigins={https://chat.example.de}")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, has_secret=True)
    yield cluster
    cluster.close()


@pytest.fixture
def empty_cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, has_secret=False)
    yield cluster
    cluster.close()


def keys(objects: list[Object]) -> set[str]:
    secrets = of_kind(objects, "Secret")
    return {base64.b64decode(each["data"]["secret-key"]).decode() for each in secrets}


def test_the_key_is_kept(cluster: Cluster) -> None:
    """An upgrade leaves Django's key as the cluster has it: nobody is signed out."""
    result = cluster.template(*ORIGIN)
    assert result.returncode == 0, result.stderr
    assert keys(load(result.stdout)) == {KEY}


def test_a_first_key_is_made(empty_cluster: Cluster) -> None:
    """An install makes a key of fifty characters, another one each time."""
    found = []
    for _ in range(2):
        result = empty_cluster.template(*ORIGIN)
        assert result.returncode == 0, result.stderr
        found += keys(load(result.stdout))
    assert [len(key) for key in found] == [50, 50]
    assert found[0] != found[1]


def test_an_example_is_not_served(cluster: Cluster) -> None:
    """Where there is a cluster, the origin of the default values is refused."""
    result = cluster.template()
    assert result.returncode == 1
    assert (
        "config.publicOrigins has https://carillon.example.org, which is an example: "
        "write what your users have in their address bar." in result.stderr
    )
