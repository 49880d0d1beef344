"""The units for one host: systemd understands them, and they start what the stack starts."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from deploy.stack import carillon
from deploy.stack.credentials import Credentials
from deploy.stack.errors import StackError
from deploy.stack.layout import MAX_GATEWAYS, Layout
from deploy.stack.programs import SYSTEMD
from deploy.stack.programs import install as install_packages
from deploy.stack.service import Service
from deploy.systemd.roll import Failed, roll, steps
from tests.deploy.systemd_units import FOLDER, install, units
from tests.processes import ROOT

# Of 10; a service that asks for nothing has 9.6. nginx needs ports below 1024.
EXPOSURE = 1.8
SPECIAL = {"gateway@": 1}


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, check=False
    )


def declared(tmp_path: Path) -> dict[str, Service]:
    """What `make stack` runs, by the names of units."""
    layout = Layout(state=tmp_path / "state", port=8080, base=25_000)
    env = {
        role: carillon.environment(layout, Credentials(), {}, role)
        for role in ("gateway", "web", "worker")
    }
    return {
        "web": carillon.web(layout, env["web"]),
        "gateway@": carillon.gateway(layout, env["gateway"], 1),
        "worker": carillon.worker(layout, env["worker"]),
        "bulk": carillon.bulk_worker(layout, env["worker"]),
        "beat": carillon.beat(layout, env["worker"]),
    }


@pytest.fixture(scope="module")
def systemd() -> None:
    """Have systemd's programs, none of which starts anything here."""
    install_packages(SYSTEMD)


@pytest.mark.servers
@pytest.mark.usefixtures("systemd")
def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    """Every unit is verified with all that it names."""
    names = install(tmp_path)
    result = analyze("verify", "--man=no", f"--root={tmp_path}", *names)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.servers
@pytest.mark.usefixtures("systemd")
@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("carillon-web.service", "TimeoutStopSecs=40"),
        ("carillon-.service.d/common.conf", "ProtectSystem=strictly"),
        ("carillon-gateway@.service", "ExecStartPost=/opt/carillon/nothing"),
    ],
)
def test_a_mistake_is_seen(tmp_path: Path, file: str, line: str) -> None:
    """A misspelt name, a wrong value and a program that is not there do not pass."""
    names = install(tmp_path)
    path = tmp_path / "etc/systemd/system" / file
    path.write_text(f"{path.read_text()}\n[Service]\n{line}\n")
    result = analyze("verify", "--man=no", f"--root={tmp_path}", *names)
    assert result.stderr


@pytest.mark.servers
@pytest.mark.usefixtures("systemd")
def test_the_account_and_its_settings(tmp_path: Path) -> None:
    """systemd makes the account, and lets it read settings that others cannot."""
    install(tmp_path)
    root = f"--root={tmp_path}"
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    subprocess.run(["systemd-sysusers", root, "carillon.conf"], check=True)
    assert re.search(r"^carillon:x:\d+:\d+:Carillon:", (tmp_path / "etc/passwd").read_text(), re.M)
    settings = tmp_path / "etc/carillon/carillon.env"
    settings.parent.mkdir()
    settings.write_text("CARILLON_SECRET_KEY=words\n")
    subprocess.run(["systemd-tmpfiles", "--create", root, "carillon.conf"], check=True)
    assert settings.parent.stat().st_mode & 0o777 == 0o750
    assert settings.stat().st_mode & 0o777 == 0o640


@pytest.mark.servers
@pytest.mark.usefixtures("systemd")
def test_services_can_do_little(tmp_path: Path) -> None:
    """What systemd itself counts as exposure stays small for each service."""
    exposed = {}
    for name in install(tmp_path):
        if name.endswith(".service") and "@." not in name:
            result = analyze("security", "--offline=yes", f"--root={tmp_path}", name)
            found = re.search(r"Overall exposure level for \S+: ([\d.]+)", result.stdout)
            assert found, result.stdout + result.stderr
            exposed[name] = float(found[1])
    print(exposed)
    assert len(exposed) == len(units())
    assert {name: each for name, each in exposed.items() if each > EXPOSURE} == {}


@pytest.mark.parametrize("name", ["web", "gateway@", "worker", "bulk", "beat"])
def test_units_start_what_the_stack_starts(tmp_path: Path, name: str) -> None:
    """Modules, options, settings and metrics are the same; only places and ports differ."""
    service, unit = declared(tmp_path)[name], units()[name]
    command = unit.command(SPECIAL.get(name, 0))
    if command.startswith("/bin/sh"):
        command = shlex.split(command)[2].partition("exec ")[2].replace("$((8000 + 1))", "8001")
    words = shlex.split(command)
    stack = list(service.command)
    stack = stack[stack.index("-m") :]
    assert words[0] == "/opt/carillon/.venv/bin/python"
    places = {
        str(tmp_path / "state/beat/schedule"): "/var/lib/carillon/beat/schedule",
        "25020": "8001",
    }
    assert words[1:] == [places.get(word, word) for word in stack]
    setting = "DJANGO_SETTINGS_MODULE"
    assert unit.environment[setting] == service.env[setting]
    has_metrics = "PROMETHEUS_MULTIPROC_DIR" in service.env
    assert ("PROMETHEUS_MULTIPROC_DIR" in unit.environment) is has_metrics
    if has_metrics:
        folder = unit.environment["PROMETHEUS_MULTIPROC_DIR"]
        assert folder == f"/run/{unit.one('RuntimeDirectory')}"


def test_what_is_said_for_a_kind_wins() -> None:
    """systemd reads a unit before its drop-ins, and the file that it reads last decides."""
    for unit in units().values():
        first, last = unit.all("EnvironmentFile")
        assert first == "/etc/carillon/carillon.env"
        assert last in {
            f"-/etc/carillon/{kind}.env" for kind in ("web", "gateway", "worker", "nginx")
        }


def test_no_port_is_taken_twice() -> None:
    """Each process has its own internal port, and nginx knows where all gateways may be."""
    found = units()
    taken = [each.environment.get("CARILLON_INTERNAL_PORT") for each in found.values()]
    ports = [int(port) for port in taken if port]
    ports += [base + number for number in range(1, MAX_GATEWAYS + 1) for base in (8000, 9000)]
    socket = (FOLDER / "carillon-web.socket").read_text()
    web = re.findall(r"^ListenStream=127\.0\.0\.1:(\d+)$", socket, re.MULTILINE)
    ports += map(int, web)
    assert len(ports) == len(set(ports)) == 5 + 2 * MAX_GATEWAYS + 1
    assert "$((8000 + 7))" in found["gateway@"].command(7)
    assert "$((9000 + 7))" in found["gateway@"].command(7)
    nginx = found["nginx"].environment
    slots = [f"127.0.0.1:{8000 + number}" for number in range(1, MAX_GATEWAYS + 1)]
    assert nginx["CARILLON_NGINX_GATEWAYS"].split(",") == slots
    assert nginx["CARILLON_NGINX_WEB"] == f"127.0.0.1:{web[0]}"


def test_stopping_waits_for_what_is_under_way(tmp_path: Path) -> None:
    """systemd is at least as patient as the stack, and with gateways as long as they drain."""
    for name, service in declared(tmp_path).items():
        assert float(units()[name].one("TimeoutStopSec")) >= service.stop_seconds, name
    example = (FOLDER / "carillon.env.example").read_text()
    (drain,) = re.findall(r"^CARILLON_GATEWAY_DRAIN_SECONDS=(\d+)$", example, re.MULTILINE)
    assert float(units()["gateway@"].one("TimeoutStopSec")) >= float(drain) + 15


def test_the_example_sets_what_there_is() -> None:
    """Every variable is one that the documents know, and nobody's secret is in it."""
    example = (FOLDER / "carillon.env.example").read_text()
    names = re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)
    known = "".join((ROOT / "docs" / name).read_text() for name in ("settings.md", "nginx.md"))
    assert [name for name in names if f"`{name}`" not in known] == []
    assert "\nCARILLON_SECRET_KEY=\n" in example


# A new version


class Host:
    """A systemd that does nothing but remember."""

    def __init__(self, *running: str, broken: str = "") -> None:
        self.running = running
        self.broken = broken
        self.restarted: list[str] = []

    def systemctl(self, verb: str, *arguments: str) -> str:
        if verb == "list-units":
            return "".join(f"{unit} loaded active running words\n" for unit in self.running)
        assert verb == "restart"
        if arguments[0] == self.broken:
            raise StackError("Job failed.")
        self.restarted += arguments
        return ""


def test_a_new_version_takes_over_in_order() -> None:
    """Tables first, gateways by number, then the rest; nginx is left alone."""
    names = ("beat", "bulk", "gateway@10", "gateway@2", "nginx", "web", "worker")
    host = Host(*(f"carillon-{name}.service" for name in names))
    roll(host.systemctl, lambda port: True, print)
    order = ("migrate", "gateway@2", "gateway@10", "web", "worker", "bulk", "beat")
    assert host.restarted == [f"carillon-{name}.service" for name in order]


def test_ports_of_the_new_version_are_those_of_the_units() -> None:
    """Readiness is asked where each unit answers."""
    running = ["carillon-gateway@3.service", *(f"carillon-{name}.service" for name in units())]
    for unit, port in steps(running):
        name = unit.removeprefix("carillon-").removesuffix(".service")
        if name == "gateway@3":
            assert port == 9003
        else:
            assert str(port) == units()[name].environment["CARILLON_INTERNAL_PORT"]


def test_a_gateway_that_is_not_ready_ends_it() -> None:
    """Those after it keep the old version, and go on working."""
    host = Host("carillon-gateway@1.service", "carillon-gateway@2.service", "carillon-web.service")
    with pytest.raises(Failed, match=r"carillon-gateway@1\.service was not ready"):
        roll(host.systemctl, lambda port: port != 9001, print)
    assert host.restarted == ["carillon-migrate.service", "carillon-gateway@1.service"]


def test_a_migration_that_fails_ends_it() -> None:
    """No service of the new version starts on the old tables."""
    host = Host("carillon-gateway@1.service", broken="carillon-migrate.service")
    with pytest.raises(Failed, match=r"carillon-migrate\.service could not be started"):
        roll(host.systemctl, lambda port: True, print)
    assert host.restarted == []
