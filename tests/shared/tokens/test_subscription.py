"""Subscription tokens: what their claims must be, and whose they are."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from pytest_django import Settings

from shared.tokens.exceptions import Fault, ForeignToken, InvalidToken, TokenExpired
from shared.tokens.grants import Override, SubscriptionOptions, SubscriptionToken
from shared.tokens.verification import verify_subscription
from tests.shared.tokens.makers import NOW, token

pytestmark = pytest.mark.usefixtures("another_server")

CLIENT = "2b1c3f0e-7a51-4be4-9f0e-4a2a0d1f0c11"


def read(
    wanted: str | None = "$poll:a", user: str = "7", now: float = NOW, **claims: Any
) -> SubscriptionToken:
    made = token(**{"channel": "$poll:a", **claims})
    return verify_subscription(made, wanted, user, CLIENT, now)


def fault(**claims: Any) -> Fault:
    with pytest.raises(InvalidToken) as caught:
        read(**claims)
    return caught.value.fault


def test_the_least() -> None:
    """A user, a channel and an end."""
    assert read() == SubscriptionToken(user="7", channel="$poll:a", expire_at=NOW + 60)


def test_everything() -> None:
    """Each claim that is read becomes a value; unknown ones are passed over."""
    found = read(
        nbf=NOW,
        iat=NOW,
        jti="a",
        aud="x",
        iss="z",
        client=CLIENT,
        info={"name": "Ünal"},
        b64data=b64encode(json.dumps({"a": 1}).encode()).decode(),
        override={"force_positioning": {"value": True}, "force_push_join_leave": {}},
        expire_at=NOW + 3_600,
        unknown=1,
    )
    options = SubscriptionOptions(
        info={"name": "Ünal"},
        data={"a": 1},
        override=Override(force_positioning=True, force_push_join_leave=False),
    )
    assert found == SubscriptionToken(
        user="7", channel="$poll:a", client=CLIENT, expire_at=NOW + 3_600, options=options
    )


def test_another_channel() -> None:
    """A good token, but not for this: whoever shows it has mixed something up, or tries."""
    for channel in ("$poll:b", "poll:a", "$poll:a ", ""):
        with pytest.raises(ForeignToken):
            read(channel)


def test_another_user() -> None:
    """Nor for whoever else is connected, the anonymous user included."""
    for user in ("8", "", "07", "7 "):
        with pytest.raises(ForeignToken):
            read(user=user)
    with pytest.raises(ForeignToken):
        read(sub="")
    assert read(user="", sub="").user == ""
    assert read(user="", sub=...).user == ""


def test_another_connection() -> None:
    """A token that names a connection is for that one; an empty name is none."""
    with pytest.raises(ForeignToken):
        read(client="another")
    assert read(client="").client == ""
    assert read(client=None).client == ""


def test_the_tokens_own_channel() -> None:
    """Where a client leaves the channel out, the token's counts."""
    assert read(None).channel == "$poll:a"
    with pytest.raises(ForeignToken):
        read(None, user="8")


@pytest.mark.parametrize("channel", [..., None])
def test_a_connections_token_is_for_no_channel(channel: Any) -> None:
    """Without a channel it is of the other kind."""
    made = token(channel=channel)
    with pytest.raises(InvalidToken) as caught:
        verify_subscription(made, "$poll:a", "7", CLIENT, NOW)
    assert caught.value.fault is Fault.KIND


@pytest.mark.parametrize(
    "claims",
    [
        {"channel": ""},
        {"channel": 1},
        {"channel": "poll:ü"},
        {"channel": "x" * 256},
        {"client": 1},
        {"info": "\0"},
        {"data": ["\0"]},
        {"b64data": "?"},
        {"override": []},
        {"override": {"force_recovery": 1}},
    ],
)
def test_claims_that_are_none(claims: dict[str, Any]) -> None:
    """One claim of another type or form, and all of the token is invalid."""
    assert fault(**claims) is Fault.CLAIMS


def test_times() -> None:
    """As those of connection tokens."""
    for claims in ({"exp": NOW}, {"nbf": NOW + 1}, {"expire_at": NOW}):
        with pytest.raises(TokenExpired):
            read(**claims)
    assert read(exp=...).expire_at is None
    assert read(expire_at=0).expire_at is None


def test_an_expired_token_of_somebody_else() -> None:
    """Expired comes first: the next token may be the right one."""
    with pytest.raises(TokenExpired):
        read(exp=NOW, user="8")


def test_readership(settings: Settings) -> None:
    """Audience and issuer are asked for as with connection tokens."""
    settings.CARILLON_TOKEN_AUDIENCE = "carillon"
    settings.CARILLON_TOKEN_ISSUER = "login"
    assert read(aud=["carillon"], iss="login").user == "7"
    assert fault(aud="carillon", iss="other") is Fault.ISSUER
    assert fault(iss="login") is Fault.AUDIENCE


def test_a_signature_of_nobody() -> None:
    """A forged one is invalid, not foreign."""
    forged = token(sign=lambda _: b"x" * 32, channel="$poll:a")
    with pytest.raises(InvalidToken) as caught:
        verify_subscription(forged, "$poll:a", "7", CLIENT, NOW)
    assert caught.value.fault is Fault.SIGNATURE
