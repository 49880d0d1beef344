"""The OpenAPI description: what the framework cannot know of it is added here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from ninja.openapi.schema import OpenAPISchema

__all__ = ["complete", "error_reference", "written"]

_ERROR = {
    "title": "Error",
    "description": "What every refusal and failure looks like.",
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "additionalProperties": False,
            "properties": {
                "code": {"type": "string", "description": "A word for programs."},
                "message": {
                    "type": "string",
                    "description": "A sentence for people, which says what to do next.",
                },
                "fields": {
                    "type": "object",
                    "description": "What is wrong with which part of the request.",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}


class _Meaning(NamedTuple):
    """What a status means here, by which name it is referred to, and an example of it."""

    name: str
    description: str
    code: str
    message: str


_MEANINGS: Mapping[int, _Meaning] = {
    400: _Meaning(
        "BadRequest",
        "A parameter or the body cannot be taken.",
        "bad_request",
        "limit: Write a whole number from 1.",
    ),
    401: _Meaning(
        "Unauthenticated",
        "Nobody is signed in, or the key is not valid.",
        "unauthenticated",
        "This API key is unknown or revoked: ask the staff for another.",
    ),
    403: _Meaning(
        "Forbidden",
        "The caller may not, the key lacks a scope, or the CSRF token is missing.",
        "missing_scope",
        "This API key lacks the scope posts:write: use one that was made with it.",
    ),
    404: _Meaning(
        "NotFound", "There is none, or not for this caller.", "not_found", "There is no such post."
    ),
    409: _Meaning(
        "Conflict",
        "It contradicts what is there.",
        "conflict",
        "A room of this name exists already: choose another name.",
    ),
    411: _Meaning(
        "LengthRequired",
        "The body comes without its length.",
        "length_required",
        "Send the body's Content-Length.",
    ),
    413: _Meaning(
        "TooLarge", "The body is too large.", "too_large", "More than 1 MiB. Send less at once."
    ),
    415: _Meaning(
        "UnsupportedMediaType",
        "The body is of another kind.",
        "unsupported_media_type",
        "Send it with Content-Type: application/json.",
    ),
    429: _Meaning(
        "TooMany",
        "Too many writes.",
        "rate_limited",
        "This is more than 120 a minute: try again in 3 seconds.",
    ),
    500: _Meaning(
        "ServerError",
        "Something failed on the server.",
        "server_error",
        "Something went wrong on our side. Try again in a moment.",
    ),
}

_RETRY_AFTER = {
    "Retry-After": {
        "description": "In how many seconds it may be tried again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def complete(schema: OpenAPISchema) -> OpenAPISchema:
    """Add the error shape and the ways to sign in, and leave out what HTTP says by itself."""
    for path in schema["paths"].values():
        # Wherever there is GET there is HEAD.
        path.pop("head", None)
        for operation in path.values():
            for parameter in operation["parameters"]:
                _without_null(parameter["schema"])
    components = schema["components"]
    components["schemas"]["Error"] = _ERROR
    components["responses"] = {
        meaning.name: _response(status, meaning) for status, meaning in _MEANINGS.items()
    }
    components["securitySchemes"] = {
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "A browser's session. Writes carry the CSRF token as X-CSRFToken.",
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, within the scopes that an operation lists.",
        },
        "key": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "The same key, for clients that cannot set Authorization.",
        },
    }
    return schema


def error_reference(status: int) -> dict[str, str]:
    """Return how an operation's description refers to the error answers of a status."""
    return {"$ref": f"#/components/responses/{_MEANINGS[status].name}"}


def written(schema: OpenAPISchema) -> str:
    """Return the description as it is committed and served: the same bytes each time."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _without_null(schema: dict[str, Any]) -> None:
    # Text has no null: an optional parameter is left out.
    if "anyOf" in schema:
        (rest,) = (each for each in schema.pop("anyOf") if each != {"type": "null"})
        schema |= rest


def _response(status: int, meaning: _Meaning) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": meaning.description,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": {"error": {"code": meaning.code, "message": meaning.message}},
            }
        },
    }
    if status == 429:
        response["headers"] = _RETRY_AFTER
    return response
