"""
Close codes: one of RFC 6455 (section 7.4.1), those of the Centrifuge client protocol
(`disconnect.go` of centrifugal/centrifuge), and from 4000 our own.

The client's duty follows from the range: after 3000-3499 and 4000-4499 it comes back, with
back-off; after 3500-3999 and 4500-4999 it stays away until its user does something.
"""

from __future__ import annotations

import enum

__all__ = ["CloseCode"]


class CloseCode(enum.IntEnum):
    """Why a connection ends."""

    UNSUPPORTED_DATA = 1003
    INTERNAL_ERROR = 3004
    SLOW = 3008
    NO_PONG = 3012
    TOO_MANY_REQUESTS = 3013
    BAD_REQUEST = 3501
    PERMISSION_DENIED = 3507
    BANNED = 4503

    @property
    def is_terminal(self) -> bool:
        """Whether the client must not come back by itself."""
        return 3500 <= self <= 3999 or 4500 <= self <= 4999

    @property
    def reason(self) -> str:
        """What the close frame says; at most 123 bytes, and never valid JSON."""
        return _REASONS[self]


_REASONS = {
    CloseCode.UNSUPPORTED_DATA: "text only",
    CloseCode.INTERNAL_ERROR: "internal server error",
    CloseCode.SLOW: "slow",
    CloseCode.NO_PONG: "no pong",
    CloseCode.TOO_MANY_REQUESTS: "too many requests",
    CloseCode.BAD_REQUEST: "bad request",
    CloseCode.PERMISSION_DENIED: "permission denied",
    CloseCode.BANNED: "account suspended",
}
