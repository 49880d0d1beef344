"""Middleware of the web tier."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers

from services.web.api.caller import key_of
from services.web.api.errors import error_response
from shared.accounts.models import User

__all__ = ["ApiMiddleware", "ReaderMiddleware"]

_API = "/api/"


class ApiMiddleware:
    """
    What holds for every address of the API, whether it leads anywhere or not.

    A request with a key has no cookies: neither a session nor its language plays a part. Nothing
    is kept by browsers, and a wrong method is refused in the API's own shape.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(_API):
            return self.get_response(request)
        if key_of(request) is not None:
            request.COOKIES = {}
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed):
            allowed = ", ".join(sorted(response.headers["Allow"].split(", ")))
            words = f"This address answers {allowed} only."
            response = error_response(405, "method_not_allowed", words)
            response.headers["Allow"] = allowed
        add_never_cache_headers(response)
        return response


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
