"""What a visitor sees when something is refused or fails; the API answers in its own shape."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import is_valid_path

from services.web.api.errors import error_response

__all__ = ["bad_request", "csrf_failure", "forbidden", "not_found", "server_error"]

_API = "/api/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "bad_request", "The server could not understand this request.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "forbidden", "You may not do this.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    words = "There is nothing here for you."
    if request.path.endswith("/") and is_valid_path(request.path.removesuffix("/")):
        words = "There is nothing at this address: write it without the slash at its end."
    return _answer(request, 404, "not_found", words)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(
        request, 403, "csrf", "This form is too old or came from elsewhere.", "403_csrf.html"
    )


def server_error(request: HttpRequest) -> HttpResponse:
    words = "Something went wrong on our side. Try again in a moment."
    if request.path.startswith(_API):
        return error_response(500, "server_error", words)
    # Without the request: whatever failed may be what a full page needs, such as the database.
    return HttpResponse(render_to_string("500.html"), status=500)


def _answer(
    request: HttpRequest, status: int, code: str, words: str, template: str = ""
) -> HttpResponse:
    if request.path.startswith(_API):
        return error_response(status, code, words)
    return render(request, template or f"{status}.html", status=status)
