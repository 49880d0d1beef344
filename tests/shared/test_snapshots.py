"""How old the oldest snapshot is, by PostgreSQL's own account."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from shared.realtime.streams import touch
from shared.telemetry import snapshots
from tests.shared.threads import run_together


@pytest.mark.django_db
def test_nobody_holds_anything_back() -> None:
    """Without an open transaction beside our own there is no age, on SQLite never."""
    assert snapshots.oldest_age() == 0


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("begins", "counts"),
    [
        ("INSERT INTO realtime_stream SELECT * FROM realtime_stream WHERE false", False),
        ("SELECT pg_current_xact_id()", True),
        ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1", True),
        ("SELECT 1", False),
    ],
    ids=["wrote-nothing", "writes", "dumps", "only-waits"],
)
def test_open_transaction(on_postgresql: None, begins: str, counts: bool) -> None:
    """One that writes, or reads like a dump, counts until it ends; one that only waits does not."""
    touch("notes:a")
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(begins)
            held.set()
            assert done.wait(10)

    def measure() -> None:
        assert held.wait(10)
        try:
            assert (snapshots.oldest_age() > 0) is counts
        finally:
            done.set()

    run_together(hold, measure)
    assert snapshots.oldest_age() == 0
