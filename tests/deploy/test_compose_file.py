"""docker-compose.yml and what it mounts; `make test-compose` brings it up."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.engine.base_images import OFFICIAL
from deploy.stack.credentials import Credentials
from deploy.stack.programs import PROMETHEUS, find, install
from deploy.stack.rabbitmq import definitions
from shared.telemetry import build

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = ("web", "gateway", "worker", "bulk", "beat", "migrate", "nginx")

each = pytest.mark.parametrize("name", SERVICES)


def make_env(folder: Path, *origins: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "deploy/compose/make-env", *origins],
        env={"PATH": "/usr/bin:/bin", "CARILLON_ENV_FILE": str(folder / ".env")},
        capture_output=True,
        text=True,
    )


def variables(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


class Strict(yaml.SafeLoader):
    """As Compose reads: a name that stands twice in one place is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        assert len(names) == len(set(names)), f"twice in line {node.start_mark.line}: {names}"
        return super().construct_mapping(node, deep)


def test_nothing_stands_twice() -> None:
    """Compose refuses a file in which a name is given two values."""
    assert yaml.load(TEXT.replace("<<:", "merged:"), Strict)["services"]


@each
def test_no_more_rights_than_needed(name: str) -> None:
    """Nobody keeps a right of the kernel's, may gain one, or writes to the root file system."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True


@each
def test_bounds(name: str) -> None:
    """Logs and memory end somewhere, and everybody comes back after a crash but the one-shot."""
    service = SERVICES[name]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    if name != "migrate":
        assert service["deploy"]["resources"]["limits"]["memory"]


@each
def test_images(name: str) -> None:
    """Each image has a version, which .env can change; ours is the code's."""
    image = SERVICES[name]["image"]
    if name in OURS:
        assert re.fullmatch(
            r"\$\{CARILLON_IMAGES:-carillon\}/(web|gateway|worker|nginx)"
            rf":\$\{{CARILLON_VERSION:-{re.escape(build.VERSION)}\}}",
            image,
        )
    else:
        assert re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-[\w./-]+:v?\d[\w.-]*\}", image)


@pytest.mark.parametrize("variable", OFFICIAL)
def test_base_images_are_those_of_the_tests(variable: str) -> None:
    """What `make test-compose` fetches is what the files name."""
    both = TEXT + (ROOT / "Dockerfile").read_text().replace("ARG ", "").replace("=", ":-")
    assert set(re.findall(rf"{variable}:-([^\s}}]+)", both)) == {OFFICIAL[variable]}


def test_only_nginx_can_be_reached() -> None:
    """Others publish no port, or, for watching, one on this machine; nginx does by default."""
    published = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert set(published) == {"nginx", "prometheus", "alertmanager", "grafana"}
    for ports in published.values():
        assert all(
            port.startswith(("127.0.0.1:", "${CARILLON_BIND:-127.0.0.1}:")) for port in ports
        )
    assert FILE["networks"]["back"] == {"internal": True}
    assert {n for n, s in SERVICES.items() if "front" in s["networks"]} == {
        *("nginx", "web", "gateway", "nginx-exporter")
    }
    assert SERVICES["nginx"]["networks"] == ["front"]
    for name in ("rabbitmq", "postgresql", "worker", "bulk", "beat"):
        assert SERVICES[name]["networks"] == ["back"]


def test_order() -> None:
    """Servers first, then the tables, then the services, then who lets people in."""
    needs = {
        name: {other: how["condition"] for other, how in s.get("depends_on", {}).items()}
        for name, s in SERVICES.items()
    }
    assert needs["migrate"] == {"postgresql": "service_healthy"}
    assert needs["nginx"] == {"web": "service_healthy", "gateway": "service_healthy"}
    for name in ("web", "gateway", "worker", "bulk", "beat"):
        assert needs[name] == {
            "migrate": "service_completed_successfully",
            "rabbitmq": "service_healthy",
            "postgresql": "service_healthy",
        }


def test_drain_fits_its_time() -> None:
    """A gateway is not killed while it sends its clients away."""
    gateway = SERVICES["gateway"]
    drain = int(gateway["environment"]["CARILLON_GATEWAY_DRAIN_SECONDS"].split(":-")[1].rstrip("}"))
    grace = int(gateway["stop_grace_period"].split(":-")[1].rstrip("s}"))
    assert grace >= drain + 15


def test_every_wanted_variable_is_written(tmp_path: Path) -> None:
    """What the file cannot do without is in the env file, and its sentence says how to get it."""
    wanted = set(re.findall(r"\$\{(\w+):\?([^}]*)\}", TEXT))
    assert make_env(tmp_path, "https://chat.example.org").returncode == 0
    assert {name for name, _ in wanted} <= set(variables(tmp_path))
    assert all("deploy/compose/make-env" in words for _, words in wanted)


def test_env_file_is_private_and_unlike_any_other(tmp_path: Path) -> None:
    """Only its owner reads it, and no secret in it is known, short, or there twice."""
    assert make_env(tmp_path, "https://chat.example.org", "https://www.example.org").returncode == 0
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    values = variables(tmp_path)
    assert values["CARILLON_PUBLIC_ORIGINS"] == "https://chat.example.org,https://www.example.org"
    secrets = [v for name, v in values.items() if name.endswith(("PASSWORD", "KEY"))]
    assert len(secrets) == len(set(secrets)) == 9
    assert all(re.fullmatch(r"[0-9a-f]{48}", secret) for secret in secrets)
    assert "CARILLON_DEMO" not in values
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_env_file_is_never_overwritten(tmp_path: Path) -> None:
    """The passwords of a database that exists are not lost."""
    (tmp_path / ".env").write_text("mine\n")
    ended = make_env(tmp_path, "https://chat.example.org")
    assert ended.returncode == 1
    assert "exists and stays as it is" in ended.stderr
    assert (tmp_path / ".env").read_text() == "mine\n"


@pytest.mark.parametrize(
    "origin", ["", "*", "https://*", "chat.example.org", "ftp://x", "https://a b", "https://a\nB=c"]
)
def test_env_file_refuses_what_is_no_origin(tmp_path: Path, origin: str) -> None:
    """Hosts that everybody matches, and lines of their own, never get into it."""
    ended = make_env(tmp_path, origin)
    assert ended.returncode == 2
    assert "write one such as https://chat.example.org" in ended.stderr
    assert not (tmp_path / ".env").exists()


def test_rights_on_the_broker_are_those_of_the_stack() -> None:
    """The accounts' rights are written once, for `make stack`; this file follows."""
    names = ("gateway", "web", "worker", "operator")
    marked = Credentials(**{name: f"{{{name}}}" for name in names})
    ours = json.loads((ROOT / "deploy/compose/rabbitmq/definitions.json").read_text())
    assert ours == json.loads(definitions(marked, sandbox=False))


def test_every_password_reaches_the_broker() -> None:
    """The broker's start fills in whatever the definitions leave open."""
    start = (ROOT / "deploy/compose/rabbitmq/start").read_text()
    for name in ("gateway", "web", "worker", "operator"):
        variable = f"CARILLON_RABBITMQ_{name.upper()}_PASSWORD"
        assert f"s/{{{name}}}/${variable}/" in start
        assert variable in SERVICES["rabbitmq"]["environment"]


def test_prometheus_scrapes_everybody() -> None:
    """Each service with metrics has a job by the name that rules and dashboards go by."""
    jobs = yaml.safe_load((ROOT / "deploy/monitoring/prometheus.yml").read_text())["scrape_configs"]
    names = {job["job_name"].removeprefix("carillon-") for job in jobs}
    assert names == {
        *("gateway", "web", "worker", "bulk", "beat"),
        *("rabbitmq", "rabbitmq-queues", "postgresql", "nginx"),
    }
    for job in jobs:
        for found in job.get("dns_sd_configs", []):
            assert found["names"] == [job["job_name"].removeprefix("carillon-")]
            assert "back" in SERVICES[found["names"][0]]["networks"]


def test_prometheus_reads_its_file(tmp_path: Path) -> None:
    """promtool finds no mistake in it."""
    install(PROMETHEUS)
    program = find("promtool")
    assert program is not None
    path = tmp_path / "prometheus.yml"
    shutil.copy(ROOT / "deploy/monitoring/prometheus.yml", path)
    words = (program, "check", "config", "--syntax-only", str(path))
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_everything_mounted_is_there() -> None:
    """Docker would make a folder in the place of a file that is missing."""
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", volume).split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
            else:
                assert source in FILE["volumes"]
