"""The Debian programs that the stack runs: where they are, and how they get there."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.stack.errors import MissingProgram, StackError

__all__ = [
    "BROWSER",
    "COMPILER",
    "PROMETHEUS",
    "SERVERS",
    "SYSTEMD",
    "find",
    "install",
    "postgresql_folder",
]

# Package -> a program of it.
SERVERS = {
    "postgresql": "postgres",
    "rabbitmq-server": "rabbitmq-server",
    "nginx": "nginx",
}
BROWSER = {"chromium": "chromium"}
# With the headers that gcc alone does not bring.
COMPILER = {"build-essential": "cc"}
# With promtool, which checks rules.
PROMETHEUS = {"prometheus": "prometheus"}
# With systemd-analyze, which checks units; it starts nothing.
SYSTEMD = {"systemd": "systemd-analyze"}

OLDEST_POSTGRESQL = 15
POSTGRESQL = Path("/usr/lib/postgresql")
RABBITMQ = Path("/usr/lib/rabbitmq/bin")
POLICY = Path("/usr/sbin/policy-rc.d")
SAVED = "policy-rc.d.carillon-saved"
NO_SERVICES = """\
#!/bin/sh
# Written by Carillon while it installs packages; if it is still here later, remove it.
exit 101
"""


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
    if not (missing := lacking(packages)):
        return
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        raise MissingProgram(missing)
    with services_stay_down():
        # Whoever held the lock before us may have installed them.
        if missing := lacking(packages):
            print(f"Installing {', '.join(missing)} from Debian's packages.", flush=True)
            run([apt, "update", "-qq"])
            run([apt, "install", "-y", "-qq", "--no-install-recommends", *missing])
    if missing := lacking(packages):
        raise MissingProgram(missing)


def lacking(packages: dict[str, str]) -> list[str]:
    return [package for package, program in packages.items() if find(program) is None]


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
    """
    Keep Debian from starting the system's own servers, which would take ports and memory.

    A policy that is already there comes back afterwards, even when an earlier run was killed.
    """
    saved = POLICY.with_name(SAVED)
    folder = os.open(POLICY.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        restore_policy(saved)
        if POLICY.exists():
            if saved.exists():
                raise StackError(f"{saved} and {POLICY} both exist: remove the one that is wrong.")
            POLICY.rename(saved)
        draft = POLICY.with_name(f"{SAVED}.draft")
        draft.write_text(NO_SERVICES)
        draft.chmod(0o755)
        draft.rename(POLICY)
        try:
            yield
        finally:
            restore_policy(saved)
    finally:
        os.close(folder)


def restore_policy(saved: Path) -> None:
    """Remove a policy of ours, and put the one that was there before in its place."""
    if POLICY.exists() and POLICY.read_bytes() == NO_SERVICES.encode():
        POLICY.unlink()
    if saved.exists() and not POLICY.exists():
        saved.rename(POLICY)
