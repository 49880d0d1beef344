"""How much one caller of the API may write."""

from __future__ import annotations

from django.conf import settings

from services.web.api.caller import Caller
from services.web.api.errors import ApiError
from services.web.budgets import Budget, Spent, spend, spend_as

__all__ = ["spend_of"]


def spend_of(caller: Caller, budget: Budget) -> None:
    """
    Count one write.

    Raises:
        ApiError: 429 with Retry-After in seconds, when the caller has none left.
    """
    try:
        if caller.key is None:
            spend_as(caller.user, budget)
        else:
            spend(f"key:{caller.key.pk}", budget, settings.CARILLON_API_KEY_WRITES_PER_MINUTE)
    except Spent as error:
        headers = {"Retry-After": str(error.wait)}
        raise ApiError(429, "rate_limited", str(error), headers=headers) from error
