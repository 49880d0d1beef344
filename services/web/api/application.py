"""The API as one application: its operations, and what becomes of their errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError, ValidationErrorContext
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from services.web.api import (
    announcements,
    bulk_jobs,
    comments,
    failures,
    kinds,
    members,
    messages,
    notifications,
    posts,
    preferences,
    realtime,
    recipients,
    rooms,
    saved_filters,
    session,
    users,
)
from services.web.api.description import complete
from services.web.api.errors import (
    DOMAIN_ERRORS,
    ApiError,
    InvalidRequest,
    NotFound,
    error_response,
    of_domain,
)
from services.web.api.sentences import add_known_keys, sentence_of

__all__ = ["PREFIX", "api"]

PREFIX = "api/v1/"

_NOUNS = (
    session,
    rooms,
    members,
    messages,
    posts,
    comments,
    users,
    notifications,
    preferences,
    announcements,
    kinds,
    bulk_jobs,
    recipients,
    failures,
    saved_filters,
    realtime,
)


class _Api(NinjaAPI):
    """The framework's application, with a description that is complete."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the description, which is the same wherever the application is mounted."""
        return complete(super().get_openapi_schema(path_prefix=PREFIX))

    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ValidationError:
        """Return what is wrong with a request, with the keys that there are."""
        error = super().validation_error_from_error_contexts(error_contexts)
        add_known_keys(error_contexts, error.errors)
        return error


class _Json(Parser):
    """JSON as its standard has it: without NaN and infinities."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the body's value; the framework makes 400 of whatever is raised."""
        return json.loads(request.body, parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


api = _Api(
    title="Carillon",
    version="1",
    description="Rooms, posts, notifications and bulk jobs. The guide is docs/api.md.",
    # Ours to serve: see urls. There is no interactive page, which would come from a CDN.
    openapi_url=None,
    docs_url=None,
    parser=_Json(),
)
for _noun in _NOUNS:
    api.add_router("", _noun.routes.router)


def _answer(request: HttpRequest, error: ApiError) -> HttpResponse:
    return error.response()


def _of_domain(request: HttpRequest, error: Exception) -> HttpResponse:
    return of_domain(error).response()


def _unexpected(request: HttpRequest, error: Exception) -> NoReturn:
    # Django's own way: logged with its traceback, answered by handler500 without.
    raise error


def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return NotFound().response()


def _framework(request: HttpRequest, error: HttpError) -> HttpResponse:
    assert error.status_code == 400, "the framework itself finds fault with JSON alone"
    return error_response(400, "bad_json", "The body is not JSON: check it with a JSON validator.")


def _cut_short(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    return error_response(400, "bad_request", "The body ended before its end: send it again.")


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields: dict[str, list[str]] = {}
    for each in error.errors:
        source, *place = each["loc"]
        if source == "path":
            # What a path cannot hold does not exist.
            return NotFound().response()
        # The body's first part is the name that the operation's own code has for it.
        name = ".".join(map(str, place[1:] if source == "body" else place)) or "body"
        fields.setdefault(name, []).append(sentence_of(each))
    (name, sentences), *others = fields.items()
    if not others:
        return InvalidRequest(name, sentences[0]).response()
    words = f"{name}: {sentences[0]} And {len(others)} more: see fields."
    return error_response(400, "bad_request", words, fields)


_HANDLERS: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
    **dict.fromkeys(DOMAIN_ERRORS, _of_domain),
    ApiError: _answer,
    Http404: _not_found,
    HttpError: _framework,
    ValidationError: _invalid,
    UnreadablePostError: _cut_short,
    Exception: _unexpected,
}
for _class, _handler in _HANDLERS.items():
    api.add_exception_handler(_class, _handler)
