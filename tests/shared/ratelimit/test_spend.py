"""A budget: all at once, then at its pace, and one for all who share it."""

from __future__ import annotations

import pytest
from django.db import connection

from shared.ratelimit.actions import do_forget_whole, do_spend
from shared.ratelimit.models import Budget
from shared.ratelimit.rates import Rate
from tests.shared.threads import run_together

RATE = Rate(count=5, seconds=10.0)
NOW = 1_800_000_000.0


def test_a_whole_budget_may_be_used_at_once(db: None) -> None:
    """Five times, and then the sixth is told how long to wait: what one use takes to come back."""
    assert [do_spend("a", RATE, NOW) for _ in range(5)] == [0.0] * 5
    assert do_spend("a", RATE, NOW) == pytest.approx(2.0, abs=0.001)


def test_a_refusal_costs_nothing(db: None) -> None:
    """However often somebody knocks meanwhile, the wait ends when it was said to."""
    for _ in range(5):
        do_spend("a", RATE, NOW)
    waits = [do_spend("a", RATE, NOW + tenth / 10) for tenth in range(20)]
    assert waits[0] > waits[-1] > 0
    assert do_spend("a", RATE, NOW + 2.0) == 0.0
    assert do_spend("a", RATE, NOW + 2.0) > 0


def test_several_uses_at_once(db: None) -> None:
    """They are all there, or none of them is spent, and the wait is until they all are."""
    assert do_spend("a", RATE, NOW, uses=4) == 0.0
    assert do_spend("a", RATE, NOW, uses=3) == pytest.approx(4.0, abs=0.001)
    assert do_spend("a", RATE, NOW) == 0.0
    assert do_spend("a", RATE, NOW + 10.0, uses=5) == 0.0
    assert do_spend("a", RATE, NOW + 10.0) > 0


def test_what_was_not_used_does_not_pile_up(db: None) -> None:
    """After a year there are five again, not a year's worth."""
    do_spend("a", RATE, NOW)
    later = NOW + 365 * 86_400
    assert [do_spend("a", RATE, later) > 0 for _ in range(6)] == [False] * 5 + [True]


def test_a_steady_pace_is_never_refused(db: None) -> None:
    """One in two seconds for as long as one likes, after all was used at once."""
    for _ in range(5):
        do_spend("a", RATE, NOW)
    assert [do_spend("a", RATE, NOW + 2 * n) for n in range(1, 50)] == [0.0] * 49


def test_budgets_are_apart(db: None) -> None:
    """One's own uses nothing of another's."""
    for _ in range(6):
        do_spend("a", RATE, NOW)
    assert do_spend("b", RATE, NOW) == 0.0


def test_a_budget_that_was_forgotten_is_whole(db: None) -> None:
    """Only rows that mean nothing go, and the others keep their count."""
    for name, now in (("old", NOW - 60), ("new", NOW)):
        for _ in range(5):
            do_spend(name, RATE, now)
    assert do_forget_whole(NOW) == 1
    assert list(Budget.objects.values_list("name", flat=True)) == ["new"]
    assert do_spend("new", RATE, NOW) > 0
    assert do_spend("old", RATE, NOW) == 0.0


@pytest.mark.django_db(transaction=True)
def test_all_who_share_a_budget_get_one(transactional_db: None) -> None:
    """Eight at the same moment, of forty tries together: exactly five pass."""

    def try_five() -> int:
        return sum(do_spend("shared", RATE, NOW) == 0.0 for _ in range(5))

    assert sum(run_together(*[try_five] * 8)) == 5


@pytest.mark.servers
def test_budgets_are_kept_out_of_the_write_ahead_log(on_postgresql: None) -> None:
    """On PostgreSQL the table is unlogged: no write of it waits for the disk."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'ratelimit_budget'")
        assert cursor.fetchone() in {("u",), (b"u",)}
