"""Middleware of the web tier."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from shared.accounts.models import User

__all__ = ["ReaderMiddleware"]


class ReaderMiddleware:
    """Answers a signed-in reader in the language and the time zone of their account."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Threads serve one reader after another: what the last one chose must not stay.
        timezone.deactivate()
        if isinstance(request.user, User):
            timezone.activate(request.user.time_zone)
            # A language that was offered once and is no more falls back to the browser's.
            if request.user.language in dict(settings.LANGUAGES):
                translation.activate(request.user.language)
        return self.get_response(request)
