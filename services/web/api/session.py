"""Who is asking: what a page whose WebSocket was refused finds out with."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse

from services.web.api.endpoint import endpoint
from services.web.requests import SignedInRequest

__all__ = ["session"]


@endpoint("GET", "HEAD")
def session(request: SignedInRequest) -> HttpResponse:
    """Return the user of the session; 401 when there is none."""
    user = request.user
    return JsonResponse(
        {"user": {"id": user.pk, "username": user.username, "staff": user.is_staff}}
    )
