"""The recipients of a draft, as a stream of ids."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from pydantic import Field

from services.web.api.bodies import BodyRule
from services.web.api.caller import ApiRequest
from services.web.api.errors import ApiError, InvalidRequest
from services.web.api.fields import Answer, Id
from services.web.api.id_stream import IdStream, Kind, NotText
from services.web.api.routes import Routes
from services.web.budgets import Budget
from shared.accounts.keys import Scope
from shared.bulk.access import access_job
from shared.bulk.actions import do_add_recipients

__all__ = ["HINT", "routes"]

routes = Routes("recipients")

HINT = (
    "Use a saved filter as the audience, or stream the ids to /api/v1/bulk-jobs/<id>/recipients "
    "as application/x-ndjson or text/csv, up to 64 MiB at once."
)

_MIB = 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_KINDS = {
    "application/x-ndjson": Kind.NDJSON,
    "application/jsonl": Kind.NDJSON,
    "text/csv": Kind.CSV,
    "text/plain": Kind.CSV,
}
_STREAM = BodyRule({**dict.fromkeys(_KINDS, 64 * _MIB), "application/json": _MIB}, HINT)
_SCHEMAS: dict[str, Any] = {
    "application/x-ndjson": {
        "schema": {"type": "string", "description": "A line each: 12, or an object with id."},
        "example": '1\n{"id": 2}\n',
    },
    "text/csv": {
        "schema": {"type": "string", "description": "In the column id or user_id, or the first."},
        "example": "id,name\n1,alice\n2,bob\n",
    },
    "application/json": {
        "schema": {"type": "array", "items": {"type": "integer"}, "description": "Up to 1 MiB."},
        "example": [1, 2],
    },
}


class LineError(Answer):
    line: int = Field(ge=1, description="The line's number; in an array, the value's.")
    message: str


class Added(Answer):
    added: int = Field(ge=0, description="New recipients.")
    duplicates: int = Field(ge=0, description="Ids that were there before.")
    unknown: int = Field(ge=0, description="Ids that are no active user's.")
    unknown_ids: list[int] = Field(description="The first 100 of these.")
    total: int = Field(ge=0, description="Recipients that the job has now.")
    bad: int = Field(ge=0, description="Lines without an id, which were passed over.")
    errors: list[LineError] = Field(description="The first 100 of these.")


@routes.post(
    "/bulk-jobs/{int:job_id}/recipients",
    scope=Scope.BULK_WRITE,
    answers={200: Added},
    budget=Budget.BULK,
    body=_STREAM,
    conflict=True,
    extra={"requestBody": {"required": True, "content": _SCHEMAS}},
)
def add_recipients(request: ApiRequest, job_id: Id) -> Added:
    """
    Add recipients to a draft, as a stream of user ids.

    Bad lines are reported and passed over. Whatever was added stays added when the stream breaks
    off, and sending it again does no harm. 400 when there are lines and none has an id.
    """
    job = access_job(request.user, job_id)
    if request.content_type == "application/json":
        stream = IdStream(_lines_of(request), Kind.NDJSON)
    else:
        stream = IdStream(_chunks(request), _KINDS[request.content_type or ""])
    try:
        added = do_add_recipients(request.user, job, stream.ids())
    except NotText as error:
        raise ApiError(415, "unsupported_media_type", str(error)) from error
    if stream.lines and not stream.good:
        raise InvalidRequest("body", _without_ids(stream))
    return Added(
        **added._asdict(),
        bad=stream.bad,
        errors=[LineError(line=each.line, message=each.message) for each in stream.errors],
    )


def _without_ids(stream: IdStream) -> str:
    words = ["There is no id in it: write one on each line."]
    words += [f"Line {each.line}: {each.message}" for each in stream.errors[:1]]
    if stream.lines == 1:
        words.append("It came as one line: curl keeps line ends with --data-binary, not with -d.")
    return " ".join(words)


def _chunks(request: HttpRequest) -> Iterator[bytes]:
    """Yield the body as it comes, a little at a time."""
    source: Any = request
    if isinstance(request, WSGIRequest) and request.environ.get("wsgi.input_terminated"):
        # Django gives nothing of a body without Content-Length; this server knows its end.
        source = request.environ["wsgi.input"]
    left = _STREAM.types["text/csv"]
    while chunk := source.read(_CHUNK_BYTES):
        left -= len(chunk)
        if left < 0:
            raise ApiError(413, "too_large", f"More than 64 MiB. {HINT}")
        yield chunk


def _lines_of(request: HttpRequest) -> Iterator[bytes]:
    """Yield an array's values as lines; it is small."""
    try:
        values = json.loads(request.body)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list):
        raise ApiError(400, "bad_json", "Send an array of ids, such as [1, 2, 3].")
    for value in values:
        yield json.dumps(value).encode() + b"\n"
