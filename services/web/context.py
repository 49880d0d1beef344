"""What every page's template sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.utils import translation

from shared.accounts.models import User
from shared.notifications.queries import announcements_position

__all__ = ["page_data"]


def page_data(request: HttpRequest) -> dict[str, Callable[[], dict[str, Any] | None]]:
    """Give templates `page_data`, what the page's script needs; only those that use it pay."""

    def read() -> dict[str, Any] | None:
        user = getattr(request, "user", None)
        if not isinstance(user, User):
            return None
        position = announcements_position()
        return {
            "user_id": user.pk,
            "username": user.username,
            "staff": user.is_staff,
            "language": translation.get_language(),
            "announcements": None if position is None else str(position),
        }

    return {"page_data": read}
