"""
`python -m shared.telemetry.exporter`: the internal port of a service that forks.

gunicorn's master and Celery's main process spawn it. It reads the metrics that all their
processes write to `PROMETHEUS_MULTIPROC_DIR`, asks the database by itself, and ends with its
parent. So it answers however busy the processes beside it are.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from prometheus_client import CollectorRegistry, multiprocess

from shared.settings import env

__all__ = ["forget_process", "spawn"]

_POLL_SECONDS = 1.0
_DATABASE_SECONDS = 5.0


def spawn() -> None:
    """Start the exporter as a child of this process."""
    subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "shared.telemetry.exporter", str(os.getpid())]
    )


def forget_process(pid: int) -> None:
    """Leave out the gauges of a process that has ended; its counters stay."""
    if env.text("PROMETHEUS_MULTIPROC_DIR", ""):
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


class _Database:
    """Whether the database answers, asked every few seconds and never by a probe itself."""

    def __init__(self) -> None:
        self._words: str | None = "not asked yet"
        threading.Thread(target=self._watch, name="database-watch", daemon=True).start()

    def __call__(self) -> str | None:
        return self._words

    def _watch(self) -> None:
        from django.db import Error, connection

        while True:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                self._words = None
            except Error as error:
                self._words = str(error).strip() or "does not answer"
            connection.close()
            time.sleep(_DATABASE_SECONDS)


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def main(parent: int) -> None:
    """Serve until the parent has gone."""
    # Whoever stops the parent by its group or terminal stops us through it, and not before.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import django
    from django.conf import settings

    from shared.telemetry import health

    django.setup()
    health.serve(
        settings.CARILLON_INTERNAL_HOST,
        settings.CARILLON_INTERNAL_PORT,
        registry=_registry,
        live={},
        ready={"database": _Database()},
    )
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
