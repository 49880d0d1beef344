"""The two doors for tokens: one who connects, one who subscribes."""

from __future__ import annotations

from shared.tokens.claims import read_connection, read_subscription
from shared.tokens.configuration import key_ring, readership, sealer
from shared.tokens.exceptions import ForeignToken
from shared.tokens.grants import ConnectionToken, SubscriptionToken
from shared.tokens.signatures import open_token

__all__ = ["verify_connection", "verify_subscription"]


def verify_connection(token: str, now: float) -> ConnectionToken:
    """
    Return what a connection token says.

    Takes microseconds and asks nobody: whether its user is there and active is not known yet, nor
    whether that with which it was got still counts.

    Args:
        token: as the client sent it.
        now: seconds since 1970.

    Raises:
        TokenExpired: answer error 109; the client fetches another.
        InvalidToken: close with 3500.
    """
    return read_connection(open_token(token, key_ring()), readership(), now, sealer())


def verify_subscription(
    token: str, channel: str | None, user: str, client: str, now: float
) -> SubscriptionToken:
    """
    Return what a subscription token says.

    Args:
        token: as the client sent it.
        channel: what it wants to hear; None takes the token's, for clients that leave it out.
        user: who it is; "" is nobody in particular.
        client: its connection's id.
        now: seconds since 1970.

    Raises:
        TokenExpired: answer error 109; the client fetches another.
        InvalidToken: answer error 103.
        ForeignToken: close with 3500.
    """
    found = read_subscription(open_token(token, key_ring()), readership(), now)
    if channel not in {None, found.channel} or user != found.user:
        raise ForeignToken
    if found.client not in {"", client}:
        raise ForeignToken
    return found
