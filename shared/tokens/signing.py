"""Tokens of our own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from shared.tokens.configuration import own_secret, readership, sealer
from shared.tokens.grants import Origin
from shared.tokens.signatures import TOKEN_BYTES, signed

__all__ = ["sign_connection", "sign_subscription"]


def sign_connection(
    user_id: int | str,
    lifetime: float,
    *,
    info: Any = None,
    channels: Sequence[str] = (),
    meta: Mapping[str, Any] | None = None,
    origin: Origin | None = None,
    now: float | None = None,
) -> str:
    """
    Return a token to connect with.

    Args:
        user_id: who connects; "" is nobody in particular.
        lifetime: seconds after which the client must show another.
        info: what others are told of this client, any JSON.
        channels: what it hears without asking, if it may then.
        meta: notes for the server; the client is not told them, but can read them in the token.
        origin: the session or the API key that it is to end with. Without one it counts until its
            own end, or a new password of its user.
        now: seconds since 1970.

    Raises:
        ValueError: it would be longer than a token may be.
    """
    claims = {
        "info": info,
        "channels": list(channels) or None,
        "meta": meta,
        "origin": None if origin is None else _told(origin),
    }
    return _signed(user_id, lifetime, now, claims)


def sign_subscription(
    user_id: int | str,
    channel: str,
    lifetime: float,
    *,
    info: Any = None,
    data: Any = None,
    now: float | None = None,
) -> str:
    """
    Return a token to subscribe to a channel with.

    It lets nobody in who may not hear the channel: the namespace is asked when it is used, too.

    Args:
        user_id: who subscribes; "" is nobody in particular.
        channel: what they may hear.
        lifetime: seconds after which the client must show another.
        info: what others are told of this member of the channel, any JSON.
        data: what the client is given with the reply, any JSON.
        now: seconds since 1970.

    Raises:
        ValueError: it would be longer than a token may be.
    """
    return _signed(user_id, lifetime, now, {"channel": channel, "info": info, "data": data})


def _told(origin: Origin) -> dict[str, str | int]:
    if origin.key is not None:
        return {"key": origin.key}
    return {"session": sealer().seal(origin.session_key)} if origin.session_key else {}


def _signed(
    user_id: int | str, lifetime: float, now: float | None, claims: Mapping[str, Any]
) -> str:
    made = time.time() if now is None else now
    audience, issuer = readership()
    given = {
        "sub": str(user_id),
        # To the millisecond: a new password ends what was made before it, and nothing after it.
        "iat": int(made * 1_000) / 1_000,
        "exp": int(made + lifetime),
        "aud": audience or None,
        "iss": issuer or None,
        **claims,
    }
    payload = {name: value for name, value in given.items() if value is not None}
    token = signed(msgspec.json.encode(payload), own_secret())
    if len(token) > TOKEN_BYTES:
        raise ValueError(f"A token has at most {TOKEN_BYTES} bytes: give it less to carry.")
    return token
