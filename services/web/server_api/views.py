"""
One request, one answer: `{"result": ..}` or `{"error": ..}` with status 200.

What is wrong with the request itself has a status instead, and the error alone as its body: 401 no
valid key, 404 no such method, 405 no POST, 411 or 413 no length or too much of it, 400 malformed.
With the header `X-Centrifugo-Error-Mode: transport`, every error is answered like that.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from services.web.api.bodies import JSON
from services.web.api.errors import ApiError
from services.web.server_api.batch import batch, read_commands
from services.web.server_api.caller import Caller, authenticate
from services.web.server_api.errors import UNAUTHORIZED, ServerApiError, TooManyCalls
from services.web.server_api.methods import METHODS, carry_out
from services.web.server_api.requests import Malformed, read, read_body
from shared.realtime.exceptions import ErrorCode

__all__ = ["nowhere", "server_api"]

logger = logging.getLogger(__name__)

_BATCH = "batch"


@csrf_exempt
def server_api(request: HttpRequest, method: str) -> HttpResponse:
    """Answer one method. Exempt, because a browser's cookies count for nothing here."""
    if request.method != "POST":
        error = ServerApiError(ErrorCode.BAD_REQUEST, "send a POST request")
        return _bare(error, 405, Allow="POST")
    try:
        JSON.check_size(request)
        caller = authenticate(request)
        value = read_body(request.body)
        if method == _BATCH:
            # Without an envelope: each reply has its own.
            return _answer(_replies(caller, value))
        caller.spend(1)
        return _answer({"result": _result(caller, method, value)})
    except ServerApiError as error:
        return _refuse(request, method, error)
    except ApiError as refused:
        limit = ServerApiError(ErrorCode.LIMIT_EXCEEDED, refused.message)
        return _bare(limit, refused.status)
    except Malformed as malformed:
        return _bare(ServerApiError(ErrorCode.BAD_REQUEST, str(malformed)), 400)
    except UnreadablePostError:
        return _bare(ServerApiError(ErrorCode.BAD_REQUEST, "the body ended early"), 400)
    except (DatabaseError, InterfaceError) as error:
        # Looking for the key; everything later has been taken care of.
        logger.warning("%s: the database failed: %s", method, str(error).strip())
        return _refuse(request, method, ServerApiError(ErrorCode.INTERNAL))


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    """Answer at an address that is no method's."""
    detail = "the address has no slash at its end" if request.path.endswith("/") else ""
    return _bare(ServerApiError(ErrorCode.METHOD_NOT_FOUND, detail), 404)


def _replies(caller: Caller, value: Any) -> dict[str, Any]:
    try:
        commands = read_commands(value)
    except (Malformed, ServerApiError):
        # Turned down as a whole, it is one call, as any other mistake is.
        caller.spend(1)
        raise
    caller.spend(max(1, len(commands)))
    return batch(caller, commands)


def _result(caller: Caller, method: str, value: Any) -> msgspec.Raw:
    known = METHODS.get(method)
    return carry_out(caller, method, None if known is None else read(known.request, value))


def _refuse(request: HttpRequest, method: str, error: ServerApiError) -> HttpResponse:
    if error.code == UNAUTHORIZED:
        return _bare(error, error.status, **{"WWW-Authenticate": "apikey"})
    transport = request.headers.get("X-Centrifugo-Error-Mode", "") == "transport"
    wait = {"Retry-After": str(error.seconds)} if isinstance(error, TooManyCalls) else {}
    if transport or method == _BATCH:
        return _bare(error, error.status, **wait)
    return _answer({"error": error.as_data()}, 200, **wait)


def _bare(error: ServerApiError, status: int, **headers: str) -> HttpResponse:
    return _answer(error.as_data(), status, **headers)


def _answer(data: dict[str, Any], status: int = 200, **headers: str) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(data), "application/json", status, headers=headers)
