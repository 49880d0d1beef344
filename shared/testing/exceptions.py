"""
What a client of the test kit runs into.

    Refused
    +-- CommandRefused      a command was answered with an error; the connection stays
    RealtimeError
    +-- Disconnected        the connection is closed, and nothing can be sent over it
    +-- NeverSubscribed     the test asks about a channel that the client never heard
"""

from __future__ import annotations

import re

from shared.realtime.exceptions import (
    ErrorCode,
    InvalidChannel,
    RealtimeError,
    Refused,
    UnknownNamespace,
)

__all__ = ["CommandRefused", "Disconnected", "NeverSubscribed"]

# A name without a namespace before a colon.
_NAMELESS = re.compile(r"[!-9;-~]{1,255}")


class CommandRefused(Refused):
    """
    The error with which a command was answered.

    Attributes:
        code: of the protocol below 400, ours from there on.
        message: what the client is told.
        field: the key to change, if it is one key's fault.
    """

    @classmethod
    def of(cls, error: RealtimeError) -> CommandRefused:
        """Return what a client is told of an error of the log or of a namespace."""
        match error:
            case Refused(code=code, message=message, field=field):
                return cls(code, message, field=field)
            case InvalidChannel(channel=channel) if not _NAMELESS.fullmatch(channel):
                return cls(ErrorCode.BAD_REQUEST, str(error))
            case InvalidChannel() | UnknownNamespace():
                return cls(ErrorCode.UNKNOWN_CHANNEL, str(error))
            case _:
                return cls(ErrorCode.BAD_REQUEST, str(error))

    def __str__(self) -> str:
        kind = self.code.name.lower().replace("_", " ")
        where = f" (field {self.field!r})" if self.field else ""
        return f"error {int(self.code)}, {kind}: {self.message}{where}"


class Disconnected(RealtimeError):
    """
    The end of a connection.

    Attributes:
        code: the close code; from 3500 to 3999 and from 4500 on, clients do not come back by
            themselves.
        reason: what the client is told.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason

    @property
    def is_terminal(self) -> bool:
        """Whether a client stays away until its user does something."""
        return 3500 <= self.code <= 3999 or 4500 <= self.code <= 4999

    def __str__(self) -> str:
        return f"closed with {self.code}: {self.reason}"


class NeverSubscribed(RealtimeError):
    """A channel of which the client has heard nothing because it never asked to."""

    def __init__(self, channel: str, heard: list[str]) -> None:
        self.channel = channel
        self.heard = heard

    def __str__(self) -> str:
        return f"Never subscribed to {self.channel!r}, only to {', '.join(self.heard)}."
