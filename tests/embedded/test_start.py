from __future__ import annotations

import re
import socket
from pathlib import Path

from tests.processes import python


def settings(folder: Path, port: int) -> dict[str, str]:
    return {"CARILLON_STATE_DIR": str(folder), "CARILLON_PORT": str(port)}


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
