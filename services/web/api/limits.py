"""How much one caller may write: one budget for each kind of thing."""

from __future__ import annotations

import enum
import math

from django.conf import settings

from services.web.api.caller import Caller
from services.web.api.errors import ApiError
from shared.ratelimit.actions import do_spend
from shared.ratelimit.rates import Rate
from shared.telemetry import metrics

__all__ = ["Budget", "spend"]

_MINUTE = 60.0


class Budget(enum.StrEnum):
    """What a write counts as; the values are metric labels."""

    ROOMS = "rooms"
    MESSAGES = "messages"
    POSTS = "posts"
    COMMENTS = "comments"
    FOLLOWS = "follows"
    NOTIFICATIONS = "notifications"
    ANNOUNCEMENTS = "announcements"
    BULK = "bulk"
    TOKENS = "tokens"


def spend(caller: Caller, budget: Budget) -> None:
    """
    Count one write.

    Raises:
        ApiError: 429 with Retry-After in seconds, when the caller has none left.
    """
    count: int = (
        settings.CARILLON_API_WRITES_PER_MINUTE
        if caller.key is None
        else settings.CARILLON_API_KEY_WRITES_PER_MINUTE
    )
    wait = math.ceil(do_spend(f"{budget}:{caller.name}", Rate(count, _MINUTE)))
    if wait:
        metrics.RATE_LIMITED.labels(scope=budget).inc()
        seconds = "a second" if wait == 1 else f"{wait} seconds"
        words = f"This is more than {count} a minute: try again in {seconds}."
        raise ApiError(429, "rate_limited", words, headers={"Retry-After": str(wait)})
