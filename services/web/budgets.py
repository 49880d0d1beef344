"""How much one user, or one key, may write: one budget for each kind of thing, however it comes."""

from __future__ import annotations

import enum
import math

from django.conf import settings

from shared.accounts.models import User
from shared.ratelimit.actions import do_spend
from shared.ratelimit.rates import Rate
from shared.telemetry import metrics

__all__ = ["Budget", "Spent", "spend", "spend_as"]

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


class Spent(Exception):
    """There is none left of a budget; the text says when there will be, in `wait` seconds."""

    def __init__(self, count: int, wait: int) -> None:
        seconds = "a second" if wait == 1 else f"{wait} seconds"
        super().__init__(f"This is more than {count} a minute: try again in {seconds}.")
        self.wait = wait


def spend(holder: str, budget: Budget, count: int) -> None:
    """
    Count one write of those that somebody may make in a minute.

    Raises:
        Spent: there is none left; nothing was counted.
    """
    wait = math.ceil(do_spend(f"{budget}:{holder}", Rate(count, _MINUTE)))
    if wait:
        metrics.RATE_LIMITED.labels(scope=budget).inc()
        raise Spent(count, wait)


def spend_as(user: User, budget: Budget) -> None:
    """
    Count one write of a user, whether a page's form or the API sends it.

    Raises:
        Spent: there is none left; nothing was counted.
    """
    spend(f"user:{user.pk}", budget, settings.CARILLON_API_WRITES_PER_MINUTE)
