"""
The manifests for `kubectl apply -k`: what the chart makes of manifests/values.yaml, committed.

Helm's hooks mean nothing to kubectl. The Job that migrates is therefore a kustomization of its own,
to be applied first; all else is a file for each template.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from deploy.k8s.chart import CHART, FOLDER, RELEASE, Object, Refused, Values, helm_text, load
from deploy.k8s.tools import tools

__all__ = ["NAMESPACE", "PLACE", "VALUES", "drift", "files", "kustomize", "write"]

PLACE = FOLDER / "manifests"
VALUES = Values("manifests", PLACE / "values.yaml")
NAMESPACE = "carillon"
MIGRATIONS = "migrations.yaml"

_SOURCE = re.compile(r"^# Source: [^/]+/templates/(.+)$", re.MULTILINE)
_HEAD = "# Rendered by `make k8s-render` from the chart and values.yaml: change those.\n"
_KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {namespace}
resources:
"""
_FIRST = """\
# Migrates the database; apply it before each version, and wait for it:
#   kubectl -n {namespace} delete job {release}-migrations --ignore-not-found
#   kubectl apply -k deploy/k8s/manifests/migrations
#   kubectl -n {namespace} wait --for=condition=complete --timeout=10m job/{release}-migrations
"""
_THEN = """\
# All of Carillon. manifests/migrations comes first, and Secrets before that: values.yaml.
"""


def files() -> dict[Path, str]:
    """Return what each file holds, by its path below `manifests/`."""
    parts: dict[str, list[str]] = {}
    for document in documents():
        source = _SOURCE.search(document)
        if source is None or not load(document):
            continue
        parts.setdefault(source[1], []).append(_SOURCE.sub("", document).strip("\n"))
    job = parts.pop(MIGRATIONS)
    rendered = {
        Path(name): _HEAD + "\n---\n".join(plain(each) for each in found) + "\n"
        for name, found in sorted(parts.items())
    }
    names = {"namespace": NAMESPACE, "release": RELEASE}
    listed = "".join(f"  - {name}\n" for name in rendered)
    return {
        Path("kustomization.yaml"): _HEAD + _THEN + _KUSTOMIZATION.format(**names) + listed,
        **rendered,
        Path("migrations", "kustomization.yaml"): (
            _HEAD + _FIRST.format(**names) + _KUSTOMIZATION.format(**names) + "  - job.yaml\n"
        ),
        Path("migrations", "job.yaml"): _HEAD + without_hooks(plain(job[0])),
    }


def documents() -> list[str]:
    command = ["template", RELEASE, str(CHART), "--namespace", NAMESPACE, *VALUES.arguments]
    return re.split(r"^---$", helm_text(command), flags=re.MULTILINE)


def plain(text: str) -> str:
    """Leave out what only helm would look for."""
    text = re.sub(r"^ +helm\.sh/chart: .*\n", "", text, flags=re.MULTILINE)
    return text.replace(
        "app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kubectl"
    )


def without_hooks(text: str) -> str:
    (job,) = load(text)
    del job["metadata"]["annotations"]
    dumped: str = yaml.safe_dump(job, sort_keys=False, width=1000)
    return dumped


def kustomize(folder: Path) -> list[Object]:
    """
    Return what `kubectl apply -k` would apply.

    Raises:
        Refused: kubectl found a fault in the kustomization.
    """
    command = [str(tools().kubectl), "kustomize", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise Refused(result.stderr.strip())
    return load(result.stdout)


def drift() -> list[str]:
    """Name the files that are not as they would be rendered, and those that are too many."""
    wanted = files()
    there = {
        path.relative_to(PLACE): path.read_text()
        for path in PLACE.rglob("*.yaml")
        if path != VALUES.file
    }
    return sorted(
        str(path) for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path)
    )


def write() -> list[str]:
    """Bring the files up to date and return the names of those that changed."""
    wanted = files()
    changed = drift()
    for name in changed:
        path = PLACE / name
        if (text := wanted.get(Path(name))) is None:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    return changed
