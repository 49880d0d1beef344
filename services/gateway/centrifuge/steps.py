"""
Steps: what is to be done about a command, as the rules of a connection say it. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from services.gateway.centrifuge import replies
from services.gateway.centrifuge.commands import Request
from services.gateway.closecodes import CloseCode
from shared.realtime.exceptions import ErrorCode, Refused, is_temporary

__all__ = [
    "End",
    "Heard",
    "Say",
    "Step",
    "TurnedDown",
    "Work",
    "not_available",
    "permission_denied",
    "refused",
    "try_again",
]


class Say(NamedTuple):
    """Send this refusal, with this code, and that is all."""

    text: str
    code: int


class End(NamedTuple):
    """Close the connection."""

    code: CloseCode


class Work(NamedTuple):
    """Do this for the client, and answer it."""

    number: int
    request: Request


class Heard(NamedTuple):
    """A pong came."""


type Step = Say | End | Work | Heard


class TurnedDown(Exception):
    """The connection ends with this code, and these words; there is nobody to let in."""

    def __init__(self, code: CloseCode, reason: str = "") -> None:
        self.code = code
        self.reason = reason or code.reason


def refused(number: int, error: Refused, *, temporary: bool = False) -> Say | End:
    """
    Return the answer to a command that is turned down; one without a number has none.

    Args:
        number: the command's.
        error: why.
        temporary: whether the client is to try again, as it always is after some codes.
    """
    if not number:
        return End(CloseCode.BAD_REQUEST)
    temporary = temporary or is_temporary(error.code)
    text = replies.error(number, error.code, error.message, temporary=temporary)
    return Say(text, error.code)


def try_again() -> Refused:
    """Return what a client is told of a failure that is ours, and that may be over in a moment."""
    return Refused(ErrorCode.INTERNAL, "internal server error")


def permission_denied() -> Refused:
    """Return what a client is told of what is not for it."""
    return Refused(ErrorCode.PERMISSION_DENIED, "permission denied")


def not_available() -> Refused:
    """Return what a client is told of what there is not here."""
    return Refused(ErrorCode.NOT_AVAILABLE, "not available")
