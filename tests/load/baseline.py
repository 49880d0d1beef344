"""Runs the tutorial (`tests.load.tutorial`) beside Carillon, on the same servers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from celery import Celery

from deploy.stack.probes import listens
from deploy.stack.service import Service, Task
from deploy.stack.stack import Stack
from tests.load.crowd import Crowd

__all__ = ["Loop", "tutorial"]

MESSAGE = "There is something new for you"
WARM_UP = 200
# The loop does more than 200 a second wherever this runs.
SECONDS_PER_RECIPIENT = 1 / 50
# What it takes Celery to begin, however few they are.
SECONDS_TO_START = 30


@dataclass(frozen=True)
class Loop:
    """
    What one run of the loop has done.

    Attributes:
        per_second: recipients, until every row was there.
        told: how many of the connected users have had their one frame.
    """

    per_second: float
    told: int


class Tutorial:
    """The running tutorial."""

    def __init__(self, stack: Stack, database: psycopg.Connection, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._database = database
        self._producer = Celery(broker=stack.broker_url("operator"))

    def warm_up(self, user_ids: Sequence[int]) -> None:
        """Have both of the worker's processes connected to everything."""
        self.send(user_ids[:WARM_UP], tasks=2)

    def run(self, user_ids: Sequence[int], crowd: Crowd, *, tasks: int) -> Loop:
        """
        Tell everybody.

        Args:
            user_ids: whom.
            crowd: those of them who are connected.
            tasks: into how many tasks they are cut; two run at once.
        """
        crowd.start_over()
        seconds = self.send(user_ids, tasks=tasks)
        report = crowd.wait_until_told(1, 5)
        return Loop(len(user_ids) / seconds, report.with_exactly(1))

    def send(self, user_ids: Sequence[int], *, tasks: int) -> float:
        """Return the seconds from the call until all rows are there."""
        self._database.execute("TRUNCATE tutorial_notification")
        size = -(-len(user_ids) // tasks)
        began = time.monotonic()
        for start in range(0, len(user_ids), size):
            self._producer.send_task(
                "tutorial.send_bulk_notification",
                args=[list(user_ids[start : start + size]), MESSAGE],
                queue="celery.tutorial",
            )
        deadline = began + SECONDS_TO_START + len(user_ids) * SECONDS_PER_RECIPIENT
        while (rows := self.rows()) < len(user_ids):
            if time.monotonic() > deadline:
                raise RuntimeError(f"The tutorial stored {rows} of {len(user_ids)} rows in time.")
            time.sleep(0.05)
        return time.monotonic() - began

    def rows(self) -> int:
        row = self._database.execute("SELECT count(*) FROM tutorial_notification").fetchone()
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        self._producer.close()


@contextmanager
def tutorial(stack: Stack, database: psycopg.Connection) -> Iterator[Tutorial]:
    """Start the tutorial's Daphne and worker; stop them at the end of the block."""
    # The last one of the ports that are the stack's.
    port = stack.layout.base + 60
    env = {
        **stack.role_environment("worker"),
        # The roles may only do what Carillon does.
        "BROKER_URL": stack.broker_url("operator"),
        "DJANGO_SETTINGS_MODULE": "tests.load.tutorial.settings",
        "PYTHONWARNINGS": "ignore",
    }
    table = Task(
        name="tutorial-table",
        command=(sys.executable, "manage.py", "migrate", "--run-syncdb", "-v", "0"),
        env=env,
    )
    daphne = Service(
        name="tutorial-daphne",
        command=(
            *(sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port)),
            *("--verbosity", "0", "tests.load.tutorial.asgi:application"),
        ),
        env=env,
        needs=("tutorial-table",),
        ready=listens(port),
        ports={port: "CARILLON_BASE_PORT"},
    )
    worker = Service(
        name="tutorial-worker",
        command=(
            *(sys.executable, "-m", "celery", "-A", "tests.load.tutorial.celery:app", "--quiet"),
            *("worker", "--concurrency", "2", "--loglevel", "WARNING", "-n", "tutorial@localhost"),
        ),
        env=env,
        needs=("tutorial-table",),
    )
    running: Tutorial | None = None
    try:
        stack.supervisor.up([table, daphne, worker])
        running = Tutorial(stack, database, port)
        yield running
    finally:
        if running is not None:
            running.close()
        for service in (worker, daphne):
            stack.stop(service.name)
