"""Tokens of our own: made and read here, and by others who know JWTs."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

import jwt
import pytest
from pytest_django import Settings

from shared.tokens.configuration import own_secret
from shared.tokens.exceptions import Fault, InvalidToken, TokenExpired
from shared.tokens.grants import (
    ConnectionToken,
    Origin,
    SubscriptionOptions,
    SubscriptionToken,
)
from shared.tokens.signatures import signed
from shared.tokens.signing import sign_connection, sign_subscription
from shared.tokens.verification import verify_connection, verify_subscription
from tests.shared.tokens.makers import NOW, hs, token


def claims_of(made: str) -> dict[str, Any]:
    body = made.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_a_connection() -> None:
    """Out of the box, without any setting; a number becomes a user's name."""
    made = sign_connection(7, 60, now=NOW)
    assert claims_of(made) == {"sub": "7", "iat": NOW, "exp": NOW + 60}
    found = verify_connection(made, NOW)
    assert found == ConnectionToken(user="7", expire_at=NOW + 60, issued_here=True, issued_at=NOW)
    with pytest.raises(TokenExpired):
        verify_connection(made, NOW + 60)


def test_a_connection_with_everything() -> None:
    """What is given is what is read."""
    info, meta = {"name": "Ünal"}, {"session": "abc"}
    made = sign_connection(7, 60, info=info, channels=["poll:a"], meta=meta, now=NOW)
    assert verify_connection(made, NOW) == ConnectionToken(
        user="7",
        expire_at=NOW + 60,
        info=info,
        subs={"poll:a": SubscriptionOptions()},
        meta=meta,
        issued_here=True,
        issued_at=NOW,
    )


@pytest.mark.parametrize("origin", [Origin(session_key="k" * 32), Origin(key=7), Origin()])
def test_what_it_was_got_with(origin: Origin) -> None:
    """The token knows it; the session's key is told to nobody who can read the token."""
    made = sign_connection(7, 60, origin=origin, now=NOW)
    assert verify_connection(made, NOW).origin == origin
    assert "kkkk" not in json.dumps(claims_of(made))
    assert "kkkk" not in repr(verify_connection(made, NOW))


def test_a_session_that_we_have_not_sealed(settings: Settings) -> None:
    """It is no token of ours, unless the secret key that sealed it is remembered."""
    made = sign_connection(7, 60, origin=Origin(session_key="k" * 32), now=NOW)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 50
    settings.SECRET_KEY_FALLBACKS = [old]
    assert verify_connection(made, NOW).origin == Origin(session_key="k" * 32)
    forged = signed(json.dumps({"sub": "7", "origin": {"session": "x"}}).encode(), own_secret())
    with pytest.raises(InvalidToken) as caught:
        verify_connection(forged, NOW)
    assert caught.value.fault is Fault.CLAIMS


def test_nobody_in_particular() -> None:
    """An anonymous client may have a token as well."""
    assert verify_connection(sign_connection("", 60, now=NOW), NOW).user == ""


def test_a_subscription() -> None:
    """For one user and one channel; of no use to connect with."""
    made = sign_subscription(7, "$poll:a", 60, info=[1], data={"a": 1}, now=NOW)
    assert verify_subscription(made, "$poll:a", "7", "c", NOW) == SubscriptionToken(
        user="7",
        channel="$poll:a",
        expire_at=NOW + 60,
        options=SubscriptionOptions(info=[1], data={"a": 1}),
        issued_here=True,
    )
    with pytest.raises(InvalidToken) as caught:
        verify_connection(made, NOW)
    assert caught.value.fault is Fault.KIND


def test_the_clock() -> None:
    """Without a time it is now."""
    found = claims_of(sign_connection(7, 60))
    assert 59 < found["exp"] - found["iat"] <= 60
    assert found["iat"] > NOW - 10 * 365 * 86_400


def test_audience_and_issuer(settings: Settings) -> None:
    """Ours say what is asked of all; without that they would not count here."""
    settings.CARILLON_TOKEN_AUDIENCE = "carillon"
    settings.CARILLON_TOKEN_ISSUER = "login"
    made = sign_connection(7, 60, now=NOW)
    assert (claims_of(made)["aud"], claims_of(made)["iss"]) == ("carillon", "login")
    assert verify_connection(made, NOW).issued_here


def test_another_library_reads_them() -> None:
    """A plain JWT, by HS256."""
    made = sign_connection(7, 60)
    assert jwt.decode(made, own_secret(), algorithms=["HS256"])["sub"] == "7"
    assert jwt.get_unverified_header(made) == {"alg": "HS256", "typ": "JWT"}


def test_other_servers_keys_change_nothing(settings: Settings) -> None:
    """We sign with our own secret, whoever else's tokens count."""
    settings.CARILLON_TOKEN_SECRETS = ["x" * 40]
    assert verify_connection(sign_connection(7, 60, now=NOW), NOW).issued_here
    assert not verify_connection(token(sign=hs("x" * 40)), NOW).issued_here


def test_the_secret_key_signs_nothing_itself(settings: Settings) -> None:
    """What signs is made from it and tells nothing of it; neither counts in the other's place."""
    assert settings.SECRET_KEY.encode() not in own_secret()
    assert len(own_secret()) == 64
    with pytest.raises(InvalidToken):
        verify_connection(token(sign=hs(settings.SECRET_KEY)), NOW)


def test_a_new_secret_key(settings: Settings) -> None:
    """Tokens end with the secret key, unless Django is told to remember it for a while."""
    made = sign_connection(7, 60, now=NOW)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 50
    with pytest.raises(InvalidToken):
        verify_connection(made, NOW)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert verify_connection(made, NOW).issued_here


def test_too_much() -> None:
    """What no reader would take is not made."""
    with pytest.raises(ValueError, match="16384 bytes"):
        sign_connection(7, 60, info="x" * 13_000)
    assert sign_connection(7, 60, info="x" * 12_000)
