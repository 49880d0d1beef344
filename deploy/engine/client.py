"""Docker's command line, as an engine is spoken to."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.commands import CommandFailed, output, run, succeeds
from deploy.stack.errors import StackError

__all__ = ["Engine", "client_that_builds", "engine_that_answers"]

# From then on what builds images is a program of its own.
BUILDX_SINCE = 23


@dataclass(frozen=True)
class Engine:
    """
    An engine.

    Attributes:
        docker: the program that speaks to it.
        environment: what the program is told, beside our own environment.
    """

    docker: str
    environment: Mapping[str, str]

    def run(self, *words: str | Path, log: Path | None = None, seconds: float | None = None) -> str:
        """Run a command of Docker's; return what it wrote."""
        return run(self.docker, *words, env=self.environment, log=log, seconds=seconds)

    def output(self, *words: str | Path) -> str:
        """Return what a command writes to its standard output alone."""
        return output(self.docker, *words, env=self.environment)

    def answers(self) -> bool:
        """Tell whether it is there."""
        words = ("version", "--format", "{{.Server.Version}}")
        return succeeds(self.docker, *words, env=self.environment, seconds=10)

    def has(self, image: str) -> bool:
        """Tell whether it has an image."""
        return succeeds(self.docker, "image", "inspect", image, env=self.environment)


def engine_that_answers() -> Engine | None:
    """Find the engine that DOCKER_HOST names, or this machine's own."""
    if not any(Engine(path, {}).answers() for path in clients()):
        return None
    return Engine(client_that_builds(), {"DOCKER_BUILDKIT": "1"})


def client_that_builds() -> str:
    """
    Find a docker program that can build with secrets.

    A newer one leaves that to its plugin buildx, which Debian's package of the engine lacks and
    does not need.
    """
    for path in clients():
        try:
            # Client: Docker Engine - Community, or: Docker version 20.10.24, build ...
            version = output(path, "--version").split("version ")[1]
        except (CommandFailed, IndexError):
            continue
        if int(version.split(".")[0]) < BUILDX_SINCE or succeeds(path, "buildx", "version"):
            return path
    raise StackError("No docker program here can build images: install docker-buildx.")


def clients() -> Iterator[str]:
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]
    for folder in dict.fromkeys(folders):
        if folder and (path := shutil.which("docker", path=folder)):
            yield path
