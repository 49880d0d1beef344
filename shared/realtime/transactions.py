"""Repeating what the database asked to repeat."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.db import OperationalError, connection

from shared.telemetry import metrics

__all__ = ["retry_on_deadlock"]

# PostgreSQL's codes for "deadlock detected" and "could not serialize".
_REPEATABLE = {"40P01", "40001"}
_ATTEMPTS = 3


def retry_on_deadlock[**P, R](action: Callable[P, R]) -> Callable[P, R]:
    """
    Run an action, which is one whole transaction, again when it was a deadlock's victim; twice.

    Inside somebody else's transaction it does not retry: that one is already lost.
    """

    @wraps(action)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(_ATTEMPTS - 1):
            try:
                return action(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or _sqlstate(error) not in _REPEATABLE:
                    raise
                metrics.DEADLOCK_RETRIES.inc()
        return action(*args, **kwargs)

    return repeated


def _sqlstate(error: OperationalError) -> str | None:
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state
