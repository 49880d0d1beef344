"""Carillon in containers, as docker-compose.yml describes it, for one test."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from deploy.engine.client import Engine
from deploy.engine.commands import CommandFailed
from deploy.stack.errors import StackError
from tests.load.command import say
from tests.processes import ROOT

__all__ = ["IMAGES", "TEAM_IMAGES", "Container", "Site", "a_site"]

# What runs all the time, and how many of each.
SERVICES = ("nginx", "web", "gateway", "worker", "bulk", "beat", "rabbitmq", "postgresql")
UP_SECONDS = 240

# What our images are called: a machine's own stay as they are.
IMAGES = "carillon-test"
TEAM_IMAGES = "carillon-test-team"

METRICS = (
    "from urllib.request import urlopen; "
    "print(urlopen('http://127.0.0.1:9000/metrics', timeout=5).read().decode())"
)


@dataclass(frozen=True)
class Container:
    """
    One of them.

    Attributes:
        name: of Docker's.
        service: of the compose file.
        state: running, exited ...
        health: healthy, unhealthy, starting; empty where nothing is asked.
    """

    name: str
    service: str
    state: str
    health: str


class Site:
    """
    The services of one project.

    Attributes:
        url: where people find it.
        engine: which runs it.
    """

    def __init__(self, engine: Engine, images: Mapping[str, str], folder: Path) -> None:
        """
        Args:
            engine: with `docker compose`.
            images: the names of those that are built on and run beside ours, by their variables.
            folder: for its env file.
        """
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.env_file = folder / ".env"
        self.engine = engine
        self.set(
            **images,
            CARILLON_PORT=str(port),
            CARILLON_IMAGES=IMAGES,
            # Not the one of whoever works in this checkout.
            CARILLON_SETTINGS_FILE=str(folder / "carillon.env"),
            COMPOSE_PROJECT_NAME=f"carillon-test-{os.getpid()}",
            COMPOSE_PROGRESS="quiet",
        )
        # Not every machine lets containers open as many files as the compose file wants.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY:
            self.set(CARILLON_OPEN_FILES=str(min(hard, 131_072)))

    def set(self, **settings: str) -> None:
        """Say from now on what a shell's environment would say, before the env file."""
        environment = {**self.engine.environment, **settings}
        self.engine = replace(self.engine, environment=environment)

    def make_env(self) -> str:
        """Write the env file, as its reader does; return what the script says."""
        ended = subprocess.run(
            [ROOT / "deploy/compose/make-env", self.url],
            env={**os.environ, "CARILLON_ENV_FILE": str(self.env_file)},
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            raise StackError(ended.stderr)
        return ended.stdout.strip()

    # The project

    def compose(self, *words: str, env_file: Path | None = None, seconds: float = 300) -> str:
        """Run a command of Docker Compose's; return what it wrote."""
        return self.engine.run(
            *("compose", "--project-directory", ROOT, "--env-file", env_file or self.env_file),
            *words,
            seconds=seconds,
        )

    def up(self, *options: str) -> float:
        """Start what does not run, and wait until all is healthy; return how long that took."""
        began = time.monotonic()
        try:
            self.compose("up", "-d", "--wait", "--wait-timeout", str(UP_SECONDS), *options)
        except CommandFailed:
            say(self.troubles())
            raise
        return time.monotonic() - began

    def down(self) -> None:
        """Remove everything, data included."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "10")
        for prefix in (IMAGES, TEAM_IMAGES):
            words = ("image", "ls", "--quiet", "--filter", f"reference={prefix}/*")
            if found := self.engine.output(*words).split():
                self.engine.run("image", "rm", "--force", *sorted(set(found)))

    def containers(self, *services: str) -> list[Container]:
        """List the containers of some services, or of all, in the order of their names."""
        lines = self.compose("ps", "--all", "--format", "json", *services).splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        found = [Container(c["Name"], c["Service"], c["State"], c["Health"]) for c in told]
        return sorted(found, key=lambda container: container.name)

    def unhealthy(self) -> list[str]:
        """Say what does not run, or is not well; empty when all is."""
        containers = self.containers()
        wrong = [
            f"{c.name} is {c.state} {c.health}".rstrip()
            for c in containers
            if c.service != "migrate" and (c.state, c.health) != ("running", "healthy")
        ]
        there = {c.service for c in containers}
        return wrong + [f"{name} is not there" for name in SERVICES if name not in there]

    def troubles(self) -> str:
        """Tell what somebody would look at: states, and the last lines of each log."""
        lines = []
        for c in self.containers():
            lines.append(f"{c.name}: {c.state} {c.health}")
            if c.health not in {"", "healthy"}:
                lines.append(self.inspect(c.name, "json .State.Health.Log"))
        with contextlib.suppress(CommandFailed):
            lines += self.compose("logs", "--tail", "15", "--no-color").splitlines()
        return "\n".join(lines)

    # One container

    def execute(self, container: str, *command: str) -> str:
        """Run a command in a container; return what it wrote to its standard output."""
        return self.engine.output("exec", container, *command)

    def inspect(self, container: str, form: str) -> str:
        """Return what Docker knows of a container."""
        return self.engine.output("inspect", "--format", "{{" + form + "}}", container)

    def address(self, container: str) -> str:
        """Return the address at which nginx finds a container."""
        networks = json.loads(self.inspect(container, "json .NetworkSettings.Networks"))
        [found] = [v["IPAddress"] for name, v in networks.items() if name.endswith("_front")]
        return str(found)

    def metric(self, container: str, name: str, **labels: str) -> float:
        """Return a metric of one container, summed over the labels that are not given."""
        text = self.execute(container, "python", "-c", METRICS)
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def manage(self, code: str) -> str:
        """Run lines of Python with Django, in the web tier."""
        return self.ask("shell", "--verbosity", "0", "--command", code)

    def ask(self, *words: str) -> str:
        """Run a management command in the web tier; return what it prints."""
        return self.execute(self.containers("web")[0].name, "python", "manage.py", *words)

    def query(self, sql: str) -> list[str]:
        """Ask the database, beside everything that is tested; a line for each row."""
        container = self.containers("postgresql")[0].name
        words = ("psql", "-XAt", "-U", "carillon", "-d", "carillon", "-c", sql)
        password = next(
            line.partition("=")[2]
            for line in self.env_file.read_text().splitlines()
            if line.startswith("CARILLON_POSTGRESQL_PASSWORD=")
        )
        environment = ("--env", f"PGPASSWORD={password}")
        return self.engine.output("exec", *environment, container, *words).splitlines()


@contextlib.contextmanager
def a_site(engine: Engine, images: Mapping[str, str]) -> Iterator[Site]:
    """A site with nothing started yet, of which nothing stays."""
    folder = Path(tempfile.mkdtemp(prefix="carillon-site-"))
    site = Site(engine, images, folder)
    try:
        site.make_env()
        yield site
    finally:
        try:
            site.down()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port
