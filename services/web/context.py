"""What every page's template sees."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.utils import translation

from shared.accounts.models import User
from shared.notifications.queries import (
    announcements_position,
    inbox_position,
    preferences_of,
    unread_count,
    unseen_announcements,
)
from shared.notifications.staff_kinds import Announced

__all__ = ["page_data"]


def page_data(request: HttpRequest) -> dict[str, Callable[[], dict[str, Any] | None]]:
    """
    Give templates `page_data`, what the page's script and its bell need.

    It is read when a template first uses it. A view whose page goes on live from there calls it
    before it reads its rows: what happens in between then comes twice, not never.
    """

    @cache
    def read() -> dict[str, Any] | None:
        user = getattr(request, "user", None)
        if not isinstance(user, User):
            return None
        # Positions before what they are the positions of, for the same reason.
        announcements, inbox = announcements_position(), inbox_position(user)
        return {
            "user_id": user.pk,
            "username": user.username,
            "staff": user.is_staff,
            "language": translation.get_language(),
            "announcements": None if announcements is None else str(announcements),
            "open_announcements": [each.as_data() for each in unseen_announcements(user)],
            "hears_announcements": _hears_announcements(user),
            "inbox": str(inbox),
            "unread": unread_count(user),
        }

    return {"page_data": read}


def _hears_announcements(user: User) -> bool:
    return all(
        preference.enabled
        for preference in preferences_of(user)
        if preference.category.key == Announced.category.key
    )
