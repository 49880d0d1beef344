from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, python


def settings(folder: Path, port: int) -> dict[str, str]:
    return {"CARILLON_STATE_DIR": str(folder), "CARILLON_PORT": str(port)}


@pytest.mark.thorough
def test_port_taken(tmp_path: Path) -> None:
    """When the port is taken, one sentence says so and what to do; nothing was migrated for it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = python("-m", "services.embedded", environment=settings(tmp_path, port))
    assert ended.returncode != 0
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"Port {port} is taken")
    assert "CARILLON_PORT=" in line
    assert not (tmp_path / "embedded" / "carillon.sqlite3").exists()


def test_bad_port(tmp_path: Path) -> None:
    """A port that is none is named before anything starts."""
    ended = python("-m", "services.embedded", environment=settings(tmp_path, 70_000))
    assert ended.returncode != 0
    [line] = ended.stderr.splitlines()
    assert "CARILLON_PORT is '70000'" in line


@pytest.mark.thorough
def test_internal_port_taken(tmp_path: Path) -> None:
    """On a shared machine it serves without metrics, and says which setting brings them back."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = settings(tmp_path, port) | {"CARILLON_INTERNAL_PORT": str(taken)}
        with subprocess.Popen(
            [sys.executable, "-m", "services.embedded"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            try:
                line = next(text for text in process.stderr if "Metrics" in text)
            finally:
                process.terminate()
    assert f"port {taken} is taken" in line
    assert "set CARILLON_INTERNAL_PORT" in line


def test_who_may_enter(tmp_path: Path) -> None:
    """PostgreSQL's account may pass through the state folder; Carillon's own data are closed."""
    code = "import os; os.umask(0o077); import services.embedded.settings"
    folder = tmp_path / "state"
    ended = python("-c", code, environment=settings(folder, 8000))
    assert ended.returncode == 0, ended.stderr
    modes = [path.stat().st_mode & 0o777 for path in (folder, folder / "embedded")]
    assert modes == [0o711, 0o700]


def test_folder_that_was_there(tmp_path: Path) -> None:
    """Whoever has closed a folder finds it closed afterwards."""
    tmp_path.chmod(0o700)
    python("-c", "import services.embedded.settings", environment=settings(tmp_path, 8000))
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "embedded").stat().st_mode & 0o777 == 0o700


def test_secret_is_kept(tmp_path: Path) -> None:
    """The secret key is made once, for this user's eyes alone, so a restart signs nobody out."""
    show = "from django.conf import settings; print(settings.SECRET_KEY)"
    environment = settings(tmp_path, 8000) | {
        "DJANGO_SETTINGS_MODULE": "services.embedded.settings"
    }
    first, second = (python("-c", show, environment=environment).stdout.strip() for _ in "12")
    assert first == second
    assert re.fullmatch(r"[\w-]{60,}", first)
    assert (tmp_path / "embedded" / "secret_key").stat().st_mode & 0o077 == 0
