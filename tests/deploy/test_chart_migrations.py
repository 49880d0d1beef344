"""What the chart migrates with has what a team's database asks for, in a Job and in each pod."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.k8s.chart import Object, Values, template
from deploy.k8s.lint import shape_faults, versions
from deploy.k8s.objects import containers, of_kind, pod_of

# Each starts helm.
pytestmark = pytest.mark.thorough

# A certificate that DATABASE_URL names, `?sslmode=verify-full&sslrootcert=/etc/company/ca.crt`.
VOLUME = {"name": "ca", "configMap": {"name": "company-ca"}}
MOUNT = {"name": "ca", "mountPath": "/etc/company", "readOnly": True}


def rendered(tmp_path: Path, mode: str, **others: Any) -> list[Object]:
    file = tmp_path / "values.yaml"
    migrations = {"mode": mode, "volumes": [VOLUME], "volumeMounts": [MOUNT]}
    file.write_text(yaml.safe_dump({"migrations": migrations, **others}))
    objects = template(Values("these", file))
    assert list(shape_faults(objects, versions()[0])) == []
    return objects


def test_a_job_with_a_certificate(tmp_path: Path) -> None:
    """The Job mounts it, and no other pod does."""
    objects = rendered(tmp_path, "hook")
    (job,) = of_kind(objects, "Job")
    assert MOUNT in containers(job)[0]["volumeMounts"]
    assert VOLUME in pod_of(job)["volumes"]
    for found in of_kind(objects, "Deployment"):
        assert VOLUME not in pod_of(found)["volumes"]


def test_pods_with_a_certificate(tmp_path: Path) -> None:
    """Each pod that migrates has it once, whether the service beside mounts it, too, or not."""
    web = {"volumes": [VOLUME], "volumeMounts": [MOUNT]}
    objects = rendered(tmp_path, "initContainer", web=web)
    for found in of_kind(objects, "Deployment"):
        pod = pod_of(found)
        migrates = "nginx" not in found["metadata"]["name"]
        assert pod["volumes"].count(VOLUME) == int(migrates)
        if migrates:
            assert MOUNT in pod["initContainers"][0]["volumeMounts"]
