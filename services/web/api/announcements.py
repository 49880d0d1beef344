"""The newest announcements."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse

from services.web.api.endpoint import endpoint
from services.web.requests import SignedInRequest
from shared.notifications.queries import announcements_position, newest_announcements

__all__ = ["announcements"]


@endpoint("GET", "HEAD")
def announcements(request: SignedInRequest) -> HttpResponse:
    """Return what was announced lately, and the position from which to listen."""
    # Before the rows: what is announced in between then comes twice, not never.
    position = announcements_position()
    return JsonResponse(
        {
            "announcements": [
                {
                    "id": announcement.pk,
                    "message": announcement.message,
                    "timestamp": announcement.created_at.isoformat(),
                }
                for announcement in newest_announcements()
            ],
            "position": None if position is None else str(position),
        }
    )
