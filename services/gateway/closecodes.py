"""
Close codes: one of RFC 6455 (section 7.4.1), those of the Centrifuge client protocol
(`disconnect.go` of centrifugal/centrifuge), and from 4000 our own.

The client's duty follows from the range: after 3000-3499 and 4000-4499 it comes back, with
back-off; after 3500-3999 and 4500-4999 it stays away until its user does something.
"""

from __future__ import annotations

import enum

__all__ = ["COUNTED_CODES", "CloseCode", "UnsubscribeCode"]


class CloseCode(enum.IntEnum):
    """Why a connection ends."""

    UNSUPPORTED_DATA = 1003
    CONNECTION_CLOSED = 3000
    SHUTDOWN = 3001
    INTERNAL_ERROR = 3004
    EXPIRED = 3005
    SUBSCRIPTION_EXPIRED = 3006
    SLOW = 3008
    INSUFFICIENT_STATE = 3010
    FORCE_RECONNECT = 3011
    NO_PONG = 3012
    TOO_MANY_REQUESTS = 3013
    INVALID_TOKEN = 3500
    BAD_REQUEST = 3501
    STALE = 3502
    FORCE_DISCONNECT = 3503
    CONNECTION_LIMIT = 3504
    CHANNEL_LIMIT = 3505
    PERMISSION_DENIED = 3507
    NOT_AVAILABLE = 3508
    SIGNED_OUT = 4501
    BANNED = 4503

    @property
    def is_terminal(self) -> bool:
        """Whether the client must not come back by itself."""
        return 3500 <= self <= 3999 or 4500 <= self <= 4999

    @property
    def reason(self) -> str:
        """What the close frame says; at most 123 bytes, and never valid JSON."""
        return _REASONS[self]


# Of all the codes a peer may send, those worth a series of their own.
COUNTED_CODES = frozenset({1000, 1001, 1002, 1005, 1006, 1007, 1009, 1011, 1012, *CloseCode})

_REASONS = {
    CloseCode.UNSUPPORTED_DATA: "text only",
    CloseCode.CONNECTION_CLOSED: "connection closed",
    CloseCode.SHUTDOWN: "shutdown",
    CloseCode.INTERNAL_ERROR: "internal server error",
    CloseCode.EXPIRED: "connection expired",
    CloseCode.SUBSCRIPTION_EXPIRED: "subscription expired",
    CloseCode.SLOW: "slow",
    CloseCode.INSUFFICIENT_STATE: "insufficient state",
    CloseCode.FORCE_RECONNECT: "force reconnect",
    CloseCode.NO_PONG: "no pong",
    CloseCode.TOO_MANY_REQUESTS: "too many requests",
    CloseCode.INVALID_TOKEN: "invalid token",
    CloseCode.BAD_REQUEST: "bad request",
    CloseCode.STALE: "stale",
    CloseCode.FORCE_DISCONNECT: "force disconnect",
    CloseCode.CONNECTION_LIMIT: "connection limit",
    CloseCode.CHANNEL_LIMIT: "channel limit",
    CloseCode.PERMISSION_DENIED: "permission denied",
    CloseCode.NOT_AVAILABLE: "not available",
    CloseCode.SIGNED_OUT: "signed out",
    CloseCode.BANNED: "account suspended",
}


class UnsubscribeCode(enum.IntEnum):
    """
    Why a subscription ends while its connection stays (`unsubscribe.go` of the same).

    From 2500 on the client subscribes again by itself.
    """

    SERVER = 2000
    INSUFFICIENT_STATE = 2500
    EXPIRED = 2501

    @property
    def reason(self) -> str:
        """What the push says."""
        return _UNSUBSCRIBE_REASONS[self]


_UNSUBSCRIBE_REASONS = {
    UnsubscribeCode.SERVER: "server unsubscribe",
    UnsubscribeCode.INSUFFICIENT_STATE: "insufficient state",
    UnsubscribeCode.EXPIRED: "subscription expired",
}
