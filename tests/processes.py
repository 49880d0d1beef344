"""Python processes of a test, started with an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ENVIRONMENT", "ROOT", "python"]

ROOT = Path(__file__).resolve().parents[1]

# Enough for a production service to start, with servers that are not there.
ENVIRONMENT = {
    "CARILLON_SECRET_KEY": "twenty-four words would be safer still",
    "CARILLON_PUBLIC_ORIGINS": "https://chat.example.org",
    "DATABASE_URL": "postgres://carillon:letters@127.0.0.1:1/carillon",
    "BROKER_URL": "amqp://web:letters@127.0.0.1:1/carillon",
}


def python(
    *arguments: str, environment: Mapping[str, str] = ENVIRONMENT, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run Python from the project's folder; of our own variables only the given ones are set."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CARILLON_", "DJANGO_", "PROMETHEUS_"))
        and name not in {"DATABASE_URL", "BROKER_URL"}
    }
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds,
        cwd=ROOT,
        env=inherited | dict(environment),
    )
