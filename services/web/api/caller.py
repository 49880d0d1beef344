"""Who asks: the user of a session, or the owner of a key, who may do what the key's scopes say."""

from __future__ import annotations

from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from services.web.api.errors import ApiError
from shared.accounts.keys import Scope, find_key
from shared.accounts.models import ApiKey, User
from shared.telemetry import metrics

__all__ = ["ApiRequest", "Caller", "authenticate", "key_of"]

_BEARER = "bearer"
_SAFE = {"GET", "HEAD"}


class Caller(NamedTuple):
    """
    Who asks.

    Attributes:
        user: whose rights count.
        key: what they act with; None is a browser's session.
    """

    user: User
    key: ApiKey | None


class ApiRequest(HttpRequest):
    """A request whose caller is known; operations get no other."""

    user: User
    auth: Caller


def key_of(request: HttpRequest) -> str | None:
    """Return the key that a request carries, which may be any text; None when it has none."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == _BEARER:
        return credentials.strip()
    return request.headers.get("X-API-Key")


def authenticate(request: HttpRequest, scope: Scope | None) -> Caller:
    """
    Return who asks, after all that they have to show for this operation.

    A request with a key stands on the key alone. One of a session that may change something
    carries the page's CSRF token in `X-CSRFToken`.

    Args:
        request: a request that Django's session and authentication middleware have seen.
        scope: what a key must have been made for; None takes any key.

    Raises:
        ApiError: 401 for a stranger, 403 without the token or the scope.
    """
    text = key_of(request)
    if text is not None:
        return _by_key(text, scope)
    if not isinstance(request.user, User):
        metrics.AUTH_FAILURES.labels(method="session").inc()
        raise _unauthenticated("Sign in first, or send an API key as Authorization: Bearer <key>.")
    if request.method not in _SAFE and not _has_token(request):
        metrics.AUTH_FAILURES.labels(method="csrf").inc()
        words = "Send the page's CSRF token as X-CSRFToken; if you did, reload the page first."
        raise ApiError(403, "csrf", words)
    return Caller(request.user, None)


def _by_key(text: str, scope: Scope | None) -> Caller:
    # Asked of the database each time: a key that was revoked stops with the next request.
    key = find_key(text)
    if key is None:
        metrics.AUTH_FAILURES.labels(method="key").inc()
        raise _unauthenticated("This API key is unknown or revoked: ask the staff for another.")
    if scope is not None and scope not in key.scopes:
        words = f"This API key lacks the scope {scope}: use one that was made with it."
        raise ApiError(403, "missing_scope", words)
    return Caller(key.user, key)


def _unauthenticated(words: str) -> ApiError:
    return ApiError(401, "unauthenticated", words, headers={"WWW-Authenticate": "Bearer"})


def _checked_by_django(request: HttpRequest) -> HttpResponse:
    """Stand for any view; the check asks only whether it is exempt, and it is not."""
    return HttpResponse()


_csrf = CsrfViewMiddleware(_checked_by_django)


def _has_token(request: HttpRequest) -> bool:
    # The operations' views are exempt from the middleware, which knows nothing of keys.
    return _csrf.process_view(request, _checked_by_django, (), {}) is None
