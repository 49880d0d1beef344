"""Writes of this app: spending from a budget, and forgetting those that are whole."""

from __future__ import annotations

import time

from django.db import connection

from shared.ratelimit.models import Budget
from shared.ratelimit.rates import Rate

__all__ = ["do_forget_whole", "do_spend"]

# One statement, so that two processes cannot both take what is left; a refusal writes nothing.
_SPEND = """
INSERT INTO ratelimit_budget (name, whole_at) VALUES (%(name)s, %(now)s + %(cost)s)
ON CONFLICT (name) DO UPDATE
SET whole_at = {larger}(ratelimit_budget.whole_at, %(now)s) + %(cost)s
WHERE ratelimit_budget.whole_at + %(cost)s <= %(now)s + %(seconds)s
RETURNING whole_at
"""
# Far below a millisecond's worth, and far above what adding floats loses.
_SLACK = 1e-4


def do_spend(name: str, rate: Rate, now: float | None = None, *, uses: int = 1) -> float:
    """
    Use a budget once, or several times together.

    Call it outside of a transaction: within one, all others who share the budget would wait for
    its end.

    Args:
        name: whose budget and for what, at most 80 characters.
        rate: how large it is; `count` is 1 or more.
        now: seconds since 1970; hosts' clocks may differ by much less than `rate.seconds`.
        uses: how often; more than `rate.count` is never allowed.

    Returns:
        0 when it was used, else the seconds until it may be, and nothing was written.
    """
    now = time.time() if now is None else now
    values: dict[str, str | float] = {
        "name": name,
        "now": now,
        "cost": rate.cost * uses,
        "seconds": rate.seconds + _SLACK,
    }
    # SQLite's max() of two values is what PostgreSQL calls greatest().
    larger = "greatest" if connection.vendor == "postgresql" else "max"
    with connection.cursor() as cursor:
        cursor.execute(_SPEND.format(larger=larger), values)
        if cursor.fetchone() is not None:
            return 0.0
    whole_at = Budget.objects.filter(pk=name).values_list("whole_at", flat=True).first()
    # It may have been made whole and forgotten since.
    return rate.cost if whole_at is None else max(_SLACK, rate.wait(whole_at, now, uses))


def do_forget_whole(now: float | None = None) -> int:
    """Delete the budgets that are whole again, which mean the same without a row; say how many."""
    now = time.time() if now is None else now
    deleted, _ = Budget.objects.filter(whole_at__lt=now).delete()
    return deleted
