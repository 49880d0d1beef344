"""
Why a token is not taken.

    TokenError
    +-- TokenExpired   it was good, or will be: error 109, and the client fetches another
    +-- InvalidToken   it is not one: close 3500, or error 103 for a subscription
    +-- ForeignToken   it is sound, but another's: close 3500

None of them holds anything of the token.
"""

from __future__ import annotations

import enum

__all__ = ["Fault", "ForeignToken", "InvalidToken", "TokenError", "TokenExpired"]


class Fault(enum.StrEnum):
    """What is wrong with an invalid token; a closed set, fit for metric labels."""

    MALFORMED = "malformed"  # no signed JWT, or too large
    ALGORITHM = "algorithm"  # no key is for it
    SIGNATURE = "signature"  # no key made it
    CLAIMS = "claims"  # one has another type or form than it must
    AUDIENCE = "audience"  # for another reader
    ISSUER = "issuer"  # from another writer
    KIND = "kind"  # a subscription's where a connection's must be, or the other way round


class TokenError(Exception):
    """Base of this package's errors."""


class TokenExpired(TokenError):
    """Its time is over, or has not come."""

    def __str__(self) -> str:
        return "The token is not valid at this time."


class InvalidToken(TokenError):
    """
    Nothing that we signed, or others whose key we have.

    Attributes:
        fault: what is wrong, for logs and metrics; clients are not told.
    """

    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def __str__(self) -> str:
        return f"The token is invalid: {self.fault}."


class ForeignToken(TokenError):
    """A subscription's token for another channel, another user or another connection."""

    def __str__(self) -> str:
        return "The token is for another channel, user or connection."
