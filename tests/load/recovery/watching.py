"""What a gateway asks of PostgreSQL meanwhile: statements, and connections at once."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from deploy.stack.postgresql import NAME, SUPERUSER
from deploy.stack.stack import Stack
from shared.settings import env

__all__ = ["Asked", "go_by_name", "watched"]

# What the measuring process is called, beside the gateway.
BENCH = "bench"
LOOK_SECONDS = 0.05
_STATEMENT = re.compile(r"^[^\[]* \[(\d+)\] \S+ LOG:  (?:statement|execute [^:]*):", re.MULTILINE)
_PROCESSES = """
    SELECT pid, usename = %s AND application_name <> %s FROM pg_stat_activity
    WHERE datname = %s AND backend_type = 'client backend'
"""


@dataclass
class Asked:
    """
    What was seen; complete at the end of the block.

    Attributes:
        connections: the gateway's, at most at once.
        statements: its statements.
    """

    connections: int = 0
    statements: int = 0

    def count(self, log: str, bench: Collection[int]) -> None:
        """Count the statements of a log but for those of some of PostgreSQL's processes."""
        self.statements = sum(int(pid) not in bench for pid in _STATEMENT.findall(log))


def go_by_name() -> None:
    """Have this process's connections known from the gateway's; before the first of them."""
    env.assign("PGAPPNAME", BENCH)


@contextmanager
def watched(stack: Stack) -> Iterator[Asked]:
    """Look at what the gateway does in the database during the block."""
    asked = Asked()
    # The processes that serve the one that measures.
    bench: set[int] = set()
    over = threading.Event()
    with psycopg.connect(
        host="127.0.0.1",
        port=stack.layout.postgresql,
        user=SUPERUSER,
        password=stack.credentials.superuser,
        dbname=NAME,
        autocommit=True,
    ) as database:

        def look() -> None:
            while True:
                found = database.execute(_PROCESSES, [NAME, BENCH, NAME]).fetchall()
                bench.update(pid for pid, is_gateway in found if not is_gateway)
                asked.connections = max(asked.connections, sum(each for _, each in found))
                if over.wait(LOOK_SECONDS):
                    return

        log = stack.log("postgresql")
        _log_statements(database, "all")
        before = log.stat().st_size
        looking = threading.Thread(target=look, name="watch")
        looking.start()
        try:
            yield asked
        finally:
            over.set()
            looking.join()
            _log_statements(database, "none")
        with log.open("rb") as file:
            file.seek(before)
            asked.count(file.read().decode(errors="replace"), bench)


def _log_statements(database: psycopg.Connection, which: str) -> None:
    database.execute(f"ALTER SYSTEM SET log_statement = '{which}'")
    database.execute("SELECT pg_reload_conf()")
