"""
What clients send: from the text of a frame to typed commands. Pure; no I/O.

A frame is one or more JSON objects, a line each. The whole of an object is read with the bounds
that every client's message has here (depth, keys, no key twice), then its request by its schema;
unknown members are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from services.gateway.shapes import Malformed, NotJSON, parse
from shared.realtime.exceptions import ErrorCode, Refused

__all__ = [
    "METHODS",
    "PONG",
    "Command",
    "Connect",
    "History",
    "Pong",
    "Presence",
    "PresenceStats",
    "Publish",
    "Refresh",
    "Request",
    "Rpc",
    "Send",
    "SubRefresh",
    "Subscribe",
    "Unreadable",
    "Unsubscribe",
    "method_of",
    "read",
]

# The answer to a ping.
PONG = "{}"

# A connect command names the channels that its client had, with a position each.
_CONNECT_KEYS = 1_024
_UNSIGNED_32 = 2**32 - 1
# Where the whole cannot be read, its number may be: clients write it first or last.
_ID = re.compile(r'\A\s*\{\s*"id"\s*:\s*(\d{1,10})\s*[,}]|[,{]\s*"id"\s*:\s*(\d{1,10})\s*\}\s*\Z')

type _Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
type _Text = Annotated[str, msgspec.Meta(max_length=65_536)]


class Unreadable(Exception):
    """A frame that ends its connection with 3501: not a command, whatever it is."""


class Request(msgspec.Struct, kw_only=True):
    """What all requests have in common: nothing."""


class StreamPosition(msgspec.Struct):
    """A place in a channel's stream."""

    offset: _Offset = 0
    epoch: _Text = ""


class Subscribe(Request):
    """Hear a channel from now on, or from where the client stood."""

    channel: _Text = ""
    token: _Text = ""
    recover: bool = False
    epoch: _Text = ""
    offset: _Offset = 0
    data: Any = None
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    delta: _Text = ""
    tf: Any = None
    flag: int = 0
    type: int = 0


class Connect(Request):
    """Say who one is; the first command."""

    token: _Text = ""
    data: Any = None
    subs: Mapping[_Text, Subscribe] = {}
    name: _Text = ""
    version: _Text = ""
    headers: Mapping[_Text, _Text] = {}


class Unsubscribe(Request):
    """Hear a channel no longer."""

    channel: _Text = ""


class Publish(Request):
    """Say something in a channel."""

    channel: _Text = ""
    data: Any = msgspec.UNSET
    type: int = 0


class Presence(Request):
    """Ask who is in a channel."""

    channel: _Text = ""


class PresenceStats(Request):
    """Ask how many are in a channel."""

    channel: _Text = ""


class History(Request):
    """Read a channel's log."""

    channel: _Text = ""
    limit: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] = 0
    since: StreamPosition | None = None
    reverse: bool = False


class Rpc(Request):
    """Call a method of an app."""

    method: _Text = ""
    data: Any = None


class Send(Request):
    """Say something that is for no channel and has no answer."""

    data: Any = None


class Refresh(Request):
    """Stay connected, with a new token."""

    token: _Text = ""


class SubRefresh(Request):
    """Stay subscribed, with a new token."""

    channel: _Text = ""
    token: _Text = ""
    type: int = 0


class Pong(Request):
    """The answer to a ping."""


METHODS: Mapping[str, type[Request]] = {
    "connect": Connect,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "publish": Publish,
    "presence": Presence,
    "presence_stats": PresenceStats,
    "history": History,
    "rpc": Rpc,
    "send": Send,
    "refresh": Refresh,
    "sub_refresh": SubRefresh,
}
_NAMES = {request: name for name, request in METHODS.items()}
# Whose request may lack a channel: a token names it.
_CHANNELLESS = {"connect", "rpc", "send", "refresh", "sub_refresh"}


class Command(msgspec.Struct):
    """
    One command.

    Attributes:
        id: what its reply is known by; 0 for those that have none.
        method: its name in the schema, or "pong".
        request: what it says, or why that cannot be read, which is an answer to this command alone.
    """

    id: int
    method: str
    request: Request | Refused


def method_of(request: Request) -> str:
    """Return a request's name in the schema."""
    return _NAMES[type(request)]


def read(frame: str) -> Iterator[Command]:
    """
    Give a frame's commands, one after the other, as a later one may depend on an earlier.

    Raises:
        Unreadable: something in it is no command; those before it were given.
    """
    if not frame.strip():
        raise Unreadable
    for line in frame.split("\n"):
        if line and not line.isspace():
            yield _command(line)


def _command(line: str) -> Command:
    try:
        message = _parse(line)
    except NotJSON as error:
        raise Unreadable from error
    except Malformed as error:
        return _malformed(line, error)
    if not message:
        return Command(0, "pong", Pong())
    named = [name for name in message if name in METHODS]
    if len(named) != 1:
        raise Unreadable
    method = named[0]
    number = message.get("id", 0)
    if type(number) is not int or not 0 <= number <= _UNSIGNED_32:
        raise Unreadable
    if (number == 0) is not (method == "send"):
        raise Unreadable
    request = message[method]
    if method not in _CHANNELLESS and not (isinstance(request, dict) and request.get("channel")):
        raise Unreadable
    try:
        return Command(number, method, msgspec.convert(request, METHODS[method]))
    except msgspec.ValidationError as error:
        return Command(number, method, _bad_request(str(error)))


def _parse(line: str) -> dict[str, Any]:
    """
    Read a line's object; more keys than others may have are for `connect` alone.

    Raises:
        Malformed: see `shapes.parse`.
    """
    if '"connect"' not in line:
        return parse(line)
    message = parse(line, keys=_CONNECT_KEYS)
    # Others may have the word somewhere; they are read again with their own bound.
    return message if "connect" in message else parse(line)


def _malformed(line: str, error: Malformed) -> Command:
    found = _ID.search(line)
    number = 0 if found is None else int(found[1] or found[2])
    method = next((name for name in METHODS if f'"{name}"' in line), None)
    if method is None or not 0 < number <= _UNSIGNED_32:
        raise Unreadable from error
    return Command(number, method, _bad_request(str(error)))


def _bad_request(words: str) -> Refused:
    return Refused(ErrorCode.BAD_REQUEST, words)
