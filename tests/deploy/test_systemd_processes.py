"""The command lines and the environment of units, run as systemd would."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.stack.layout import free_base
from deploy.stack.probes import answers
from tests.deploy.systemd_units import Unit, units
from tests.processes import ROOT
from tests.servers import RunningStack

pytestmark = pytest.mark.servers

SECONDS = 60.0
# Between fork and exec: files are ours from 3 on, and the process has the pid that they are for.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Place:
    """Where units are instead of /opt, /run, /var and their ports."""

    def __init__(self, stack: RunningStack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.base = free_base()
        self._moved = {
            "/opt/carillon/.venv/bin/python": sys.executable,
            "/opt/carillon": str(ROOT),
            "/run/carillon": f"{folder}/run",
            # Collected already.
            "/var/lib/carillon/static": f"{stack.state}/static",
            "/var/lib/carillon": f"{folder}/lib",
            "8000": str(self.base),
            "9000": str(self.base + 32),
        }

    def moved(self, text: str) -> str:
        for place, other in self._moved.items():
            text = text.replace(place, other)
        return text

    def command(self, unit: Unit, instance: int = 0) -> list[str]:
        return shlex.split(self.moved(unit.command(instance)))

    def environment(self, unit: Unit, role: str) -> dict[str, str]:
        """What the unit sets, with what an operator would have written for this stack."""
        told = self.stack.stack.role_environment(role)
        names = ("CARILLON_SECRET_KEY", "CARILLON_PUBLIC_ORIGINS", "DATABASE_URL", "BROKER_URL")
        # The stack has the demo users.
        written = {name: told[name] for name in names} | {"CARILLON_DEMO": "1"}
        found = {name: self.moved(value) for name, value in unit.environment.items()}
        for folder in unit.all("RuntimeDirectory"):
            (self.folder / "run" / folder.partition("/")[2]).mkdir(parents=True)
        return {"PATH": os.environ["PATH"], **found, **written}


@contextmanager
def running(
    command: list[str], environment: Mapping[str, str], *, inherits: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    if inherits is not None:
        command = [sys.executable, "-c", ACTIVATE, str(inherits), *command]
    process = subprocess.Popen(
        command,
        env=dict(environment),
        cwd=ROOT,
        pass_fds=[] if inherits is None else [inherits],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(SECONDS)
        # `KillMode=mixed`; the last one of a group may have gone by itself.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def until_ready(port: int) -> None:
    ready, deadline = answers(port, "/readyz"), time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < deadline, f"nobody is ready at {port}"
        time.sleep(0.05)


def asked(port: int, host: str) -> socket.socket:
    """Ask for a page; whoever listens may answer later."""
    client = socket.create_connection(("127.0.0.1", port), SECONDS)
    client.sendall(
        f"GET /accounts/login/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    return client


def status_of(client: socket.socket) -> str:
    with client, client.makefile("rb") as answer:
        return answer.readline().decode().strip()


def test_requests_wait_for_the_web_tier(stack: RunningStack, tmp_path: Path) -> None:
    """Before it runs, and while it is restarted, they lie in the socket that systemd keeps."""
    place, unit = Place(stack, tmp_path), units()["web"]
    host = urlsplit(stack.url).netloc
    environment = place.environment(unit, "web")
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    notified.settimeout(SECONDS)
    environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
    command = place.command(unit)
    with notified, socket.create_server(("127.0.0.1", place.base), backlog=64) as listener:
        first = asked(place.base, host)
        with running(command, environment, inherits=listener.fileno()) as web:
            assert b"READY=1" in notified.recv(4096)
            assert status_of(first) == "HTTP/1.1 200 OK"
            web.send_signal(signal.SIGTERM)
            assert web.wait(SECONDS) == 0
        second = asked(place.base, host)
        with running(command, environment, inherits=listener.fileno()):
            assert status_of(second) == "HTTP/1.1 200 OK"
            until_ready(place.base + 32)


def test_a_gateway_knows_its_ports_by_its_number(stack: RunningStack, tmp_path: Path) -> None:
    """The third one listens three above the first port, and ends in order when it is told to."""
    place, unit = Place(stack, tmp_path), units()["gateway@"]
    with running(place.command(unit, 3), place.environment(unit, "gateway")) as gateway:
        until_ready(place.base + 32 + 3)
        socket.create_connection(("127.0.0.1", place.base + 3), SECONDS).close()
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(SECONDS) == 0
