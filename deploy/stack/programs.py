"""The Debian programs that the stack runs: where they are, and how they get there."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.stack.errors import MissingProgram, StackError

__all__ = ["BROWSER", "SERVERS", "find", "install", "postgresql_folder"]

# Package -> a program of it.
SERVERS = {
    "postgresql": "postgres",
    "rabbitmq-server": "rabbitmq-server",
    "nginx": "nginx",
}
BROWSER = {"chromium": "chromium"}

OLDEST_POSTGRESQL = 15
POSTGRESQL = Path("/usr/lib/postgresql")
RABBITMQ = Path("/usr/lib/rabbitmq/bin")
POLICY = Path("/usr/sbin/policy-rc.d")


def postgresql_folder() -> Path | None:
    """Find the programs of the newest PostgreSQL that is new enough; Debian keeps them off PATH."""
    versions = [int(path.name) for path in POSTGRESQL.glob("*") if path.name.isdigit()]
    for version in sorted(versions, reverse=True):
        folder = POSTGRESQL / str(version) / "bin"
        if version >= OLDEST_POSTGRESQL and (folder / "initdb").exists():
            return folder
    return None


def find(program: str) -> str | None:
    """Find a program; an ordinary user's PATH lacks the folders of servers."""
    if program == "postgres":
        folder = postgresql_folder()
        return str(folder / program) if folder else None
    # The script of the same name in /usr/sbin changes the user; this one runs as anybody.
    path = os.pathsep.join([str(RABBITMQ), os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"])
    return shutil.which(program, path=path)


def install(packages: dict[str, str]) -> None:
    """
    Install what is missing from Debian's packages where we may; say what to install where not.
    """
    missing = [package for package, program in packages.items() if find(program) is None]
    if not missing:
        return
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        raise MissingProgram(missing)
    print(f"Installing {', '.join(missing)} from Debian's packages.", flush=True)
    with services_stay_down():
        run([apt, "update", "-qq"])
        run([apt, "install", "-y", "-qq", "--no-install-recommends", *missing])
    if any(find(packages[package]) is None for package in missing):
        raise MissingProgram(missing)


def run(command: Sequence[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if result.returncode != 0:
        lines = (result.stdout + result.stderr).splitlines()[-20:]
        raise StackError("\n    ".join([f"`{' '.join(command)}` failed:", *lines]))


@contextmanager
def services_stay_down() -> Iterator[None]:
    """Keep Debian from starting the system's own servers, which would take ports and memory."""
    saved = POLICY.with_name("policy-rc.d.carillon-saved")
    if POLICY.exists():
        POLICY.rename(saved)
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
        if saved.exists():
            saved.rename(POLICY)
