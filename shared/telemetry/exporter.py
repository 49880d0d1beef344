"""
`python -m shared.telemetry.exporter`: the internal port of a service that forks.

gunicorn's master and Celery's main process spawn it. It reads the metrics that all their
processes write to `PROMETHEUS_MULTIPROC_DIR`, asks the database by itself, and ends with its
parent. So it answers however busy the processes beside it are. Django would double its memory.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, multiprocess

from shared.settings import databases, env
from shared.telemetry import health

__all__ = ["forget_process", "spawn"]

_POLL_SECONDS = 1.0
_DATABASE_SECONDS = 5.0
_HANGING_SECONDS = 9.0
# The probe task comes twice a minute.
_PROBE_SECONDS = 90.0


def spawn(*options: str) -> None:
    """
    Start the exporter as a child of this process.

    When it dies, probes find nobody and the orchestrator restarts the service: a thread here to
    restart it alone would not survive the forks that this process makes.

    Args:
        options: `--tasks` makes readiness depend on tasks being run.
    """
    subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "shared.telemetry.exporter", str(os.getpid()), *options]
    )


def forget_process(pid: int) -> None:
    """Leave out the gauges of a process that has ended; its counters stay."""
    if env.text("PROMETHEUS_MULTIPROC_DIR", ""):
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _forget_killed() -> None:
    """Leave out the gauges of processes that had no time to say that they end."""
    for path in Path(env.text("PROMETHEUS_MULTIPROC_DIR", "")).glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not Path("/proc", pid).exists() and Path("/proc/self").exists():
            forget_process(int(pid))


class _Database:
    """Whether the database answers, asked every few seconds and never by a probe itself."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        """
        Args:
            entry: of `env.database_url`.
        """
        self._parameters = databases.parameters(entry)
        self._words: str | None = "not asked yet"
        # A server that hangs gives no error: then the last answer grows old.
        self._answered = time.monotonic()
        threading.Thread(target=self._watch, name="database-watch", daemon=True).start()

    def __call__(self) -> str | None:
        silent = time.monotonic() - self._answered
        return f"no answer for {silent:.0f} s" if silent > _HANGING_SECONDS else self._words

    def _watch(self) -> None:
        # Not with the module, which the services import.
        import psycopg

        connection: psycopg.Connection | None = None
        while True:
            try:
                if connection is None:
                    connection = psycopg.connect(**self._parameters, autocommit=True)
                connection.execute("SELECT 1")
                self._words = None
            except psycopg.Error as error:
                self._words = " ".join(str(error).split()) or "does not answer"
                if connection is not None:
                    connection.close()
                connection = None
            self._answered = time.monotonic()
            time.sleep(_DATABASE_SECONDS)


def _registry() -> CollectorRegistry:
    _forget_killed()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _tasks_run() -> str | None:
    """Say since when no task was taken from the broker, if that is long ago."""
    last = _registry().get_sample_value("carillon_worker_probe_timestamp_seconds") or 0.0
    silent = time.time() - last
    if silent < _PROBE_SECONDS:
        return None
    return f"took none for {silent:.0f} s: is RabbitMQ there?" if last else "takes none yet"


def main(parent: int, *options: str) -> None:
    """Serve until the parent has gone."""
    # Whoever stops the parent by its group or terminal stops us through it, and not before.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    entry = env.database_url()
    ready: dict[str, health.Check] = {}
    # SQLite is a file: it is there.
    if not str(entry["ENGINE"]).endswith("sqlite3"):
        ready["database"] = _Database(entry)
    if "--tasks" in options:
        ready["tasks"] = _tasks_run
    health.serve(*env.internal_address(), registry=_registry, live={}, ready=ready)
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
