"""Middleware of the web tier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers

from services.web.api.caller import key_of
from services.web.api.errors import error_response
from services.web.requests import staff_bytes_of
from shared.accounts.models import User

__all__ = ["ApiMiddleware", "BodyMiddleware", "ReaderMiddleware"]

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


class BodyMiddleware:
    """
    Refuses a form that is too large before any of it is read.

    It stands before the check of the form's token, which reads the form to find it: a stranger
    could have files written to the disk by forms that are then refused. The API bounds its own
    bodies.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        size = _size_of(request)
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if request.path.startswith(_API) or size <= limit:
            return None
        if isinstance(request.user, User) and request.user.is_staff:
            limit = staff_bytes_of(view) or limit
        return None if size <= limit else render(request, "413.html", status=413)


def _size_of(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        # Django takes this for nothing, too, and reads nothing.
        return 0


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
