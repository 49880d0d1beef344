"""
What a client of the test kit runs into.

    Refused
    +-- CommandRefused      a command was answered with an error; the connection stays
    RealtimeError
    +-- Disconnected        the connection is closed, and nothing can be sent over it
    +-- NeverSubscribed     the test asks about a channel that the client never heard
    +-- MadeTooEarly        the client was made before the test, in which it would hear nothing
"""

from __future__ import annotations

from shared.realtime.exceptions import ErrorCode, RealtimeError, Refused
from shared.realtime.refusals import as_refusal

__all__ = ["CommandRefused", "Disconnected", "MadeTooEarly", "NeverSubscribed"]


class CommandRefused(Refused):
    """
    The error with which a command was answered.

    Attributes:
        code: of the protocol below 400, ours or the app's from there on.
        message: what the client is told.
        field: the key to change, if it is one key's fault.
    """

    @classmethod
    def of(cls, error: RealtimeError) -> CommandRefused:
        """Return what a client is told of an error of the log or of a namespace."""
        refusal = as_refusal(error)
        return cls(refusal.code, refusal.message, field=refusal.field)

    def __str__(self) -> str:
        code, where = self.code, f" (field {self.field!r})" if self.field else ""
        kind = f", {code.name.lower().replace('_', ' ')}" if isinstance(code, ErrorCode) else ""
        return f"error {int(code)}{kind}: {self.message}{where}"


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


class MadeTooEarly(RealtimeError):
    """A client of `setUpTestData` or `setUpClass`: in a test nothing would seem committed to it."""

    def __str__(self) -> str:
        return (
            "A client hears what is published in the test that makes it, and no other: make it in "
            "setUp or in the test itself, not in setUpTestData or setUpClass."
        )
