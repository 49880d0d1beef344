"""What every endpoint does before its own work: method, session, errors in one shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from services.web.api.errors import ApiError, error_response
from services.web.requests import SignedInRequest
from shared.chat.exceptions import NotAllowed, UnknownMessage, UnknownRoom

__all__ = ["endpoint"]


def endpoint[**P](
    *methods: str,
) -> Callable[
    [Callable[Concatenate[SignedInRequest, P], HttpResponse]],
    Callable[Concatenate[HttpRequest, P], HttpResponse],
]:
    """Make a view an endpoint for these methods; its callers are signed in."""

    def decorate(
        view: Callable[Concatenate[SignedInRequest, P], HttpResponse],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @never_cache
        @wraps(view)
        def handle(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method not in methods:
                words = f"This address answers {', '.join(methods)} only."
                response = error_response(405, "method_not_allowed", words)
                response.headers["Allow"] = ", ".join(methods)
                return response
            if not request.user.is_authenticated:
                return error_response(401, "unauthenticated", "Sign in first.")
            try:
                return view(cast(SignedInRequest, request), *args, **kwargs)
            except ApiError as error:
                return error.response()
            except (UnknownRoom, UnknownMessage) as error:
                return error_response(404, "not_found", str(error))
            except NotAllowed as error:
                return error_response(403, "forbidden", str(error))

        return handle

    return decorate
