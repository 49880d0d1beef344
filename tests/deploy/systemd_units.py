"""The units in `deploy/systemd`, read as far as tests need it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.processes import ROOT

__all__ = ["FOLDER", "Unit", "install", "units"]

FOLDER = ROOT / "deploy" / "systemd"
COMMON = FOLDER / "carillon-.service.d" / "common.conf"
# What units start, which is not on the machine that tests run on.
PROGRAMS = ("opt/carillon/.venv/bin/python", "opt/carillon/deploy/nginx/entrypoint", "bin/sh")


class Unit:
    """One unit with what it has in common with the others."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._lines: list[tuple[str, str]] = []
        files = [path, COMMON] if path.suffix == ".service" else [path]
        for file in files:
            for line in file.read_text().splitlines():
                if "=" in line and not line.startswith("#"):
                    name, _, value = line.partition("=")
                    self._lines.append((name, value))

    def all(self, name: str) -> list[str]:
        """Return all values of a directive, those of the unit itself first."""
        return [value for each, value in self._lines if each == name]

    def one(self, name: str) -> str:
        """Return the value of a directive that is there once."""
        (value,) = self.all(name)
        return value

    @property
    def environment(self) -> dict[str, str]:
        """What the unit itself sets."""
        return dict(line.split("=", 1) for line in self.all("Environment"))

    def command(self, instance: int = 0) -> str:
        """Return the one command line, as the process gets it."""
        line = self.one("ExecStart").replace("%i", str(instance))
        return line.replace("%%", "%").replace("$$", "$")


def units() -> dict[str, Unit]:
    """Return all units by their names without `carillon-` and what they are."""
    found = sorted(FOLDER.glob("carillon-*.service"))
    return {path.stem.removeprefix("carillon-"): Unit(path) for path in found}


def install(root: Path) -> list[str]:
    """Install the units below a root as on a host; return their names, of instances, too."""
    subprocess.run([FOLDER / "install", root], check=True)
    folder = root / "etc/systemd/system"
    (folder / "carillon-gateway@1.service").symlink_to("carillon-gateway@.service")
    # Targets and services of the system that ours name.
    system = root / "usr/lib/systemd/system"
    shutil.copytree("/usr/lib/systemd/system", system, symlinks=True)
    for program in PROGRAMS:
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        (root / program).write_text("#!/bin/sh\n")
        (root / program).chmod(0o755)
    return sorted(path.name for path in folder.iterdir() if path.is_file())
