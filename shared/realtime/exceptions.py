"""
What can go wrong in the log and at the door of a namespace.

    RealtimeError
    +-- InvalidChannel          the name is malformed
    +-- UnknownNamespace        nobody registered it
    +-- InvalidData             not a JSON object that can be stored
    +-- UnrecoverablePosition   the stream's numbering is another one
    +-- Refused                 a client's command was understood and turned down
"""

from __future__ import annotations

import enum

__all__ = [
    "ErrorCode",
    "InvalidChannel",
    "InvalidData",
    "RealtimeError",
    "Refused",
    "UnknownNamespace",
    "UnrecoverablePosition",
    "is_temporary",
]

# What an app's own methods and namespaces refuse with, beside the codes below.
_OWN_CODES = range(400, 2000)


class ErrorCode(enum.IntEnum):
    """
    Codes of refused commands; the client's connection stays open.

    Below 400 they are those of the Centrifuge client protocol (`ErrorInternal` and so on in its
    `errors.go`); from 400 they are ours and follow HTTP's meaning. Apps have others of their own,
    from 400 to 1999.
    """

    INTERNAL = 100  # temporary: send the same again
    UNKNOWN_CHANNEL = 102
    PERMISSION_DENIED = 103
    METHOD_NOT_FOUND = 104
    ALREADY_SUBSCRIBED = 105
    LIMIT_EXCEEDED = 106
    BAD_REQUEST = 107
    NOT_AVAILABLE = 108
    TOKEN_EXPIRED = 109  # come back with a new one
    TOO_MANY_REQUESTS = 111  # wait `retry_after` seconds
    UNRECOVERABLE_POSITION = 112
    CONTENT_REFUSED = 400  # `field` names what to change
    CONFLICT = 409


def is_temporary(code: int) -> bool:
    """Say whether a command that was refused with this code may work in a moment."""
    return code in (ErrorCode.INTERNAL, ErrorCode.TOO_MANY_REQUESTS)


class RealtimeError(Exception):
    """Base of this package's errors."""


class InvalidChannel(RealtimeError):
    """A channel name that is not 1-255 characters of ASCII with a registered form."""

    def __init__(self, channel: str) -> None:
        self.channel = channel

    def __str__(self) -> str:
        return f"{self.channel[:80]!r} is not a channel name: use namespace:name in ASCII."


class UnknownNamespace(RealtimeError):
    """A channel whose namespace no installed app declares."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"No namespace {self.name!r}: declare it in an installed app's namespaces.py."


class InvalidData(RealtimeError):
    """Data that cannot be stored and sent as one JSON object."""


class UnrecoverablePosition(RealtimeError):
    """A position of another epoch: what follows it cannot be told."""


class Refused(RealtimeError):
    """
    A client's publication that its namespace turned down.

    Attributes:
        code: what kind of refusal: one of `ErrorCode`, where the client's duty stands beside it, or
            one of an app's own, 400-1999.
        message: one sentence for the person, saying what to do next.
        field: the key of the publication to change, if it is one key's fault.
    """

    def __init__(self, code: int, message: str, *, field: str | None = None) -> None:
        """
        Take what the client is told.

        Raises:
            ValueError: the code is neither one of `ErrorCode` nor 400-1999.
        """
        if code not in ErrorCode and code not in _OWN_CODES:
            raise ValueError(f"{code} is no code to refuse with: use ErrorCode, or 400-1999.")
        self.code: int = ErrorCode(code) if code in ErrorCode else int(code)
        # Made text here, as a lazy translation is none, and never empty, as clients need one.
        self.message = str(message) or "refused"
        self.field = field

    def __str__(self) -> str:
        return self.message
