"""What a client is told of what went wrong, by whatever protocol. Pure."""

from __future__ import annotations

import re

from shared.realtime.exceptions import (
    ErrorCode,
    InvalidChannel,
    RealtimeError,
    Refused,
    UnknownNamespace,
)

__all__ = ["as_refusal"]

# A name without a namespace before a colon.
_NAMELESS = re.compile(r"[!-9;-~]{1,255}")


def as_refusal(error: RealtimeError) -> Refused:
    """Return what a client is told of an error of the log or of a namespace."""
    match error:
        case Refused():
            return error
        case InvalidChannel(channel=channel) if _NAMELESS.fullmatch(channel):
            # Of the namespace without a name, which we have not.
            return Refused(ErrorCode.UNKNOWN_CHANNEL, "unknown channel")
        case InvalidChannel():
            return Refused(ErrorCode.BAD_REQUEST, "this is no channel name")
        case UnknownNamespace():
            return Refused(ErrorCode.UNKNOWN_CHANNEL, "unknown channel")
        case _:
            return Refused(ErrorCode.BAD_REQUEST, str(error))
