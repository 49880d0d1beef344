"""
What each method takes, and reading it from a body. Pure; no I/O.

As in Protobuf's JSON, a key that is missing and one that is null mean the same, and a key that
nobody reads is passed over.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

__all__ = [
    "Batch",
    "Broadcast",
    "ChannelRequest",
    "ChannelsRequest",
    "DisconnectRequest",
    "HistoryRequest",
    "InfoRequest",
    "Malformed",
    "PublishRequest",
    "RefreshRequest",
    "RpcRequest",
    "SubscribeRequest",
    "Terms",
    "UnsubscribeRequest",
    "json_of",
    "read",
    "read_body",
]

_DEPTH = 64
# Objects of which the fields are ours; in all others a null is the caller's own.
_OURS = {"since", "disconnect", "recover_since", "override"}

# What JavaScript can count, and PostgreSQL and SQLite can store.
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
_Moment = Annotated[int, msgspec.Meta(ge=-(2**53 - 1), le=2**53 - 1)]
_Code = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
_Limit = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
# PostgreSQL keeps no NUL.
_Name = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*$")]


class Malformed(ValueError):
    """No JSON, or not of the types that the method takes; the text is for its author."""


class _Request(msgspec.Struct, kw_only=True):
    """A method's fields; each has its zero value where it is missing."""


class Position(_Request):
    offset: _Count = 0
    epoch: _Name = ""


class Terms(_Request):
    """How to publish."""

    data: Any = None
    b64data: str = ""
    skip_history: bool = False
    tags: dict[str, str] = {}
    idempotency_key: _Name = ""
    # A hint for connections that take patches, of which there are none.
    delta: bool = False
    version: _Count = 0
    version_epoch: _Name = ""


class PublishRequest(Terms):
    channel: str = ""


class Broadcast(Terms):
    channels: list[str] = []


class ChannelRequest(_Request):
    """Of presence, presence_stats and history_remove."""

    channel: str = ""


class HistoryRequest(ChannelRequest):
    limit: _Limit = 0
    since: Position | None = None
    reverse: bool = False


class _Aimed(_Request):
    """Whose connections: "" is the anonymous ones."""

    user: _Name = ""
    client: _Name = ""
    session: _Name = ""


class Flag(_Request):
    value: bool = False


class Override(_Request):
    presence: Flag | None = None
    join_leave: Flag | None = None
    force_push_join_leave: Flag | None = None
    force_positioning: Flag | None = None
    force_recovery: Flag | None = None


class SubscribeRequest(_Aimed):
    channel: str = ""
    info: Any = None
    b64info: str = ""
    data: Any = None
    b64data: str = ""
    expire_at: _Moment = 0
    recover_since: Position | None = None
    override: Override = msgspec.field(default_factory=Override)


class UnsubscribeRequest(_Aimed):
    channel: str = ""


class Ending(_Request):
    code: _Code = 0
    reason: str = ""


class DisconnectRequest(_Aimed):
    whitelist: list[_Name] = []
    disconnect: Ending = msgspec.field(default_factory=Ending)


class RefreshRequest(_Aimed):
    expired: bool = False
    expire_at: _Moment = 0
    info: Any = None


class ChannelsRequest(_Request):
    pattern: _Name = ""


class InfoRequest(_Request):
    """Nothing."""


class RpcRequest(_Request):
    method: str = ""
    params: Any = None


class Batch(_Request):
    """Each command is an object with a method's name and its request."""

    commands: list[dict[str, Any]] = []
    parallel: bool = False


def read_body(body: bytes) -> Any:
    """
    Return a body's JSON value.

    Raises:
        Malformed: it is none, or nested deeper than 64.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"The body is not JSON: {error}") from error
    # Counted first, because it is far cheaper than looking and tells enough of most bodies.
    if body.count(b"[") + body.count(b"{") > _DEPTH and _is_deep(value):
        raise Malformed(f"The body is nested deeper than {_DEPTH}.")
    return value


def read[R: msgspec.Struct](kind: type[R], value: Any) -> R:
    """
    Return a value as a method's request.

    Raises:
        Malformed: a part has another type.
    """
    if not isinstance(value, dict):
        raise Malformed("Send a JSON object.")
    try:
        return msgspec.convert(_without_nulls(value), kind)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)) from error


def json_of(value: Any, encoded: str) -> Any:
    """
    Return what a pair of fields such as `data` and `b64data` holds; None is nothing.

    Raises:
        ValueError: the second, which counts if it is there, is not JSON in Base64.
    """
    if not encoded:
        return value
    try:
        return read_body(base64.b64decode(encoded, validate=True))
    except (binascii.Error, Malformed) as error:
        raise ValueError(str(error)) from error


def _without_nulls(fields: Mapping[str, Any], ours: bool = False) -> dict[str, Any]:
    return {
        name: _without_nulls(value, True)
        if (ours or name in _OURS) and isinstance(value, dict)
        else value
        for name, value in fields.items()
        if value is not None
    }


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
