"""
`python -m shared.telemetry.exporter`: the internal port of a service that forks.

gunicorn's master and Celery's main process spawn it. It reads the metrics that all their
processes write to `PROMETHEUS_MULTIPROC_DIR`, asks the database by itself, and ends with its
parent. So it answers however busy the processes beside it are. Django would double its memory.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Metric, multiprocess

from shared.settings import databases, env
from shared.telemetry import health
from shared.telemetry import logging as lines
from shared.telemetry.remains import settle, whole

__all__ = ["forget_process", "spawn"]

logger = logging.getLogger("shared.telemetry.exporter")

_POLL_SECONDS = 1.0
_SETTLE_SECONDS = 60.0
_DATABASE_SECONDS = 5.0
_HANGING_SECONDS = 9.0
# A probe task comes twice a minute, to bulk workers every ten seconds; idle ones take turns.
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
        # The exporter may be quicker, and gunicorn's master would end with the error.
        with suppress(FileNotFoundError):
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


class _Processes(multiprocess.MultiProcessCollector):
    """The metrics of all processes, those that have ended included."""

    # Of all requests and of the upkeep: what is being added up would be counted twice.
    _lock = threading.Lock()

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[no-untyped-call]
        self._folder = Path(env.text("PROMETHEUS_MULTIPROC_DIR"))

    def collect(self) -> list[Metric]:
        with self._lock:
            self._settle()
            return list(self.merge(whole(self._folder)))  # type: ignore[no-untyped-call]

    def settle(self) -> None:
        """Add up what has ended, when nobody scrapes."""
        with self._lock:
            self._settle()

    def _settle(self) -> None:
        try:
            settle(self._folder)
        except OSError as error:
            # What was left behind counts all the same, and probes are worth more than the room.
            logger.warning("What ended processes have counted is not added up: %s", error)


class _Database:
    """Whether the database answers, asked every few seconds and never by a probe itself."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        """
        Args:
            entry: of `env.database_url`.
        """
        self._parameters = databases.parameters(entry)
        self._words: str | None = "not asked yet"
        self._is_away = False
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
                self._tell(None)
            except psycopg.Error as error:
                self._tell(" ".join(str(error).split()) or "no reason given")
                if connection is not None:
                    connection.close()
                connection = None
            self._answered = time.monotonic()
            time.sleep(_DATABASE_SECONDS)

    def _tell(self, words: str | None) -> None:
        """Note how it stands; say in the service's log when it goes and when it is back."""
        if words is not None and not self._is_away:
            logger.warning("The database does not answer: %s", words)
        if words is None and self._is_away:
            logger.info("The database answers again.")
        self._words, self._is_away = words, words is not None


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Processes())
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
    lines.configure({"level": env.choice("CARILLON_LOG_LEVEL", lines.LEVELS, "INFO")})
    entry = env.database_url()
    ready: dict[str, health.Check] = {}
    # SQLite is a file: it is there.
    if not str(entry["ENGINE"]).endswith("sqlite3"):
        ready["database"] = _Database(entry)
    if "--tasks" in options:
        ready["tasks"] = _tasks_run
    health.serve(*env.internal_address(), registry=_registry, live={}, ready=ready)
    processes, settled = _Processes(), time.monotonic()
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
        if time.monotonic() - settled > _SETTLE_SECONDS:
            processes.settle()
            settled = time.monotonic()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
