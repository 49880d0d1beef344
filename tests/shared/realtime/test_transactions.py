from __future__ import annotations

import threading

import pytest
from django.db import OperationalError, transaction
from prometheus_client import REGISTRY

from shared.realtime.models import Stream
from shared.realtime.streams import touch
from shared.realtime.transactions import retry_on_deadlock
from tests.shared.threads import run_together

pytestmark = pytest.mark.django_db(transaction=True)


def retries() -> float:
    return REGISTRY.get_sample_value("carillon_deadlock_retries_total") or 0.0


def lock(channel: str) -> None:
    Stream.objects.select_for_update().get(channel=channel)


@pytest.mark.servers
def test_deadlock_is_repeated(on_postgresql: None) -> None:
    """Of two transactions that wait for each other, the victim runs again and both succeed."""
    touch("notes:a")
    touch("notes:b")
    before, both = retries(), threading.Barrier(2)

    def action(first: str, second: str) -> int:
        runs = 0

        @retry_on_deadlock
        def lock_both() -> None:
            nonlocal runs
            runs += 1
            with transaction.atomic():
                lock(first)
                if runs == 1:
                    both.wait(10)
                lock(second)

        lock_both()
        return runs

    runs = run_together(lambda: action("notes:a", "notes:b"), lambda: action("notes:b", "notes:a"))
    # The victim may be quick enough to make a victim of the other.
    assert 3 <= sum(runs) <= 6
    assert retries() == before + sum(runs) - 2


@pytest.mark.servers
def test_deadlock_inside_another_transaction(on_postgresql: None) -> None:
    """Inside somebody's transaction nothing is repeated: the whole of it is lost already."""
    touch("notes:a")
    touch("notes:b")
    both = threading.Barrier(2)

    def action(first: str, second: str) -> str:
        runs = 0

        @retry_on_deadlock
        def lock_both() -> None:
            nonlocal runs
            runs += 1
            lock(first)
            both.wait(10)
            lock(second)

        try:
            with transaction.atomic():
                lock_both()
        except OperationalError:
            return f"lost after {runs}"
        return "won"

    results = run_together(
        lambda: action("notes:a", "notes:b"), lambda: action("notes:b", "notes:a")
    )
    assert sorted(results) == ["lost after 1", "won"]


def test_other_errors_are_not_repeated() -> None:
    """What repeating cannot mend is raised at once."""
    runs: list[None] = []

    @retry_on_deadlock
    def fail() -> None:
        runs.append(None)
        raise OperationalError("no such table")

    with pytest.raises(OperationalError):
        fail()
    assert len(runs) == 1


def test_result_passes_through() -> None:
    """An action that works runs once and keeps its name, arguments and result."""

    @retry_on_deadlock
    def action(first: int, *, second: int) -> int:
        return first + second

    assert action(1, second=2) == 3
    assert action.__name__ == "action"
