"""Connection tokens: what their claims must be, and what they come to."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from shared.tokens.claims import MOST_CHANNELS, Readership, read_connection, read_subscription
from shared.tokens.exceptions import Fault, InvalidToken, TokenError, TokenExpired
from shared.tokens.grants import ConnectionToken, Override, SubscriptionOptions
from shared.tokens.sealing import Sealer
from shared.tokens.signatures import Opened
from shared.tokens.verification import verify_connection
from tests.shared.tokens.makers import NOW, assemble, pem, private, signature, token

pytestmark = pytest.mark.usefixtures("another_server")

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
CLAIMS = st.sampled_from(
    [
        *("sub", "exp", "nbf", "iat", "jti", "aud", "iss", "expire_at", "channels", "subs"),
        *("info", "b64info", "data", "b64data", "channel", "client", "override", "meta"),
        "origin",
    ]
)
SEALER = Sealer([b"s" * 32])


def read(**claims: Any) -> ConnectionToken:
    return verify_connection(token(**claims), NOW)


def fault(**claims: Any) -> Fault:
    with pytest.raises(InvalidToken) as caught:
        read(**claims)
    return caught.value.fault


def base64(value: Any) -> str:
    return b64encode(json.dumps(value).encode()).decode()


def test_the_least() -> None:
    """A user and an end."""
    assert read() == ConnectionToken(user="7", expire_at=NOW + 60)


def test_everything() -> None:
    """Each claim that is read becomes a value; unknown ones are passed over."""
    found = read(
        nbf=NOW - 1,
        iat=NOW - 1,
        jti="a",
        aud=["x", "y"],
        iss="z",
        info={"name": "Ünal"},
        channels=["poll:a", "poll:b"],
        meta={"plan": [1, 2]},
        unknown={"a": {}},
    )
    assert found == ConnectionToken(
        user="7",
        expire_at=NOW + 60,
        info={"name": "Ünal"},
        subs={"poll:a": SubscriptionOptions(), "poll:b": SubscriptionOptions()},
        meta={"plan": [1, 2]},
        issued_at=NOW - 1,
    )


@pytest.mark.parametrize("sub", ["", None, ...])
def test_nobody_in_particular(sub: Any) -> None:
    """An empty user, and none, is the anonymous one."""
    assert read(sub=sub).user == ""


@pytest.mark.parametrize("user", ["7", "5f0c-…-uuid", "Ünal", "a b", "x" * 255])
def test_users_are_strings(user: str) -> None:
    """Of other servers, they are whatever those call them."""
    assert read(sub=user).user == user


def test_null_is_absent() -> None:
    """For every claim that may be left out."""
    names = ("nbf", "iat", "jti", "aud", "iss", "info", "b64info", "channels", "subs", "meta")
    assert read(**dict.fromkeys((*names, "expire_at"))) == read()


@pytest.mark.parametrize(
    ("now", "is_good"), [(NOW + 59, True), (NOW + 59.999, True), (NOW + 60, False)]
)
def test_end(now: float, is_good: bool) -> None:
    """Good until its last second, and expired when `exp` has come."""
    made = token()
    if is_good:
        assert verify_connection(made, now).user == "7"
    else:
        with pytest.raises(TokenExpired):
            verify_connection(made, now)


def test_beginning() -> None:
    """Good from `nbf` on; before that the client is told to fetch another."""
    made = token(nbf=NOW)
    assert verify_connection(made, NOW).user == "7"
    with pytest.raises(TokenExpired):
        verify_connection(made, NOW - 0.001)


def test_iat_decides_nothing() -> None:
    """The clock of another server may be ahead."""
    found = read(iat=NOW + 3_600)
    assert (found.user, found.issued_at) == ("7", NOW + 3_600)


@pytest.mark.parametrize("origin", [{"key": 7}, {"session": "x"}, {"session": 7}, [], 7, "x"])
def test_origin_of_another_server(origin: Any) -> None:
    """A claim of ours in another server's token is one that nobody knows."""
    assert read(origin=origin) == read()


def test_no_end() -> None:
    """Without `exp` neither the token ends nor the connection."""
    assert read(exp=...).expire_at is None


@pytest.mark.parametrize(("expire_at", "end"), [(0, None), (NOW + 5, NOW + 5), (None, NOW + 60)])
def test_expire_at_replaces_exp_for_the_connection(expire_at: int, end: int | None) -> None:
    """0 is no end, although the token has one."""
    assert read(expire_at=expire_at).expire_at == end
    with pytest.raises(TokenExpired):
        verify_connection(token(expire_at=expire_at), NOW + 60)


def test_a_connection_that_would_end_at_once() -> None:
    """An `expire_at` that has passed is as an expired token: another one may be better."""
    with pytest.raises(TokenExpired):
        read(expire_at=NOW)


@given(
    st.none() | st.integers(NOW - 5, NOW + 5),
    st.none() | st.integers(NOW - 5, NOW + 5),
    st.none() | st.just(0) | st.integers(NOW - 5, NOW + 5),
    st.floats(NOW - 6, NOW + 6),
)
def test_times(exp: int | None, nbf: int | None, expire_at: int | None, now: float) -> None:
    """What is granted has not ended, and nothing is granted out of its time."""
    claims = {"exp": exp, "nbf": nbf, "expire_at": expire_at}
    opened = Opened(json.dumps(claims).encode(), issued_here=False)
    is_good = (exp is None or now < exp) and (nbf is None or nbf <= now)
    try:
        found = read_connection(opened, Readership(), now, SEALER)
    except TokenExpired:
        assert not is_good or (expire_at and expire_at <= now)
    else:
        assert is_good
        assert found.expire_at is None or found.expire_at > now
        assert (found.expire_at is None) == (expire_at == 0 or (expire_at is exp is None))


def test_times_may_have_fractions() -> None:
    """As the standard allows; an end is rounded down."""
    assert read(exp=NOW + 1.5).expire_at == NOW + 1


@pytest.mark.parametrize("name", ["exp", "nbf", "iat", "expire_at"])
@pytest.mark.parametrize("value", ["1", True, -1, 2**53 + 1, 1e300, [], {}, 10**400])
def test_times_that_are_none(name: str, value: Any) -> None:
    """Text, what no clock shows, what no client could read."""
    assert fault(**{name: value}) is Fault.CLAIMS


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": 7},
        {"sub": ["7"]},
        {"sub": "x" * 256},
        {"sub": "7\0"},
        {"sub": "7\n"},
        {"sub": "\u2028"},
        {"jti": 1},
        {"aud": 1},
        {"aud": [1]},
        {"iss": {}},
        {"b64info": 1},
        {"b64info": "no base64!"},
        {"b64info": "bm8gSlNPTg=="},
        {"b64info": "e30"},
        {"b64info": "e3 0="},
        {"b64info": base64("a\0")},
        {"info": {"name": "a\0"}},
        {"info": {"a\0": 1}},
        {"info": [[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]},
        {"meta": []},
        {"meta": {"a": ["\0"]}},
        {"meta": "text"},
        {"channels": "poll:a"},
        {"channels": ["poll:a", 1]},
        {"channels": [""]},
        {"channels": ["poll:a\n"]},
        {"channels": ["poll: a"]},
        {"channels": ["poll:ü"]},
        {"channels": ["x" * 256]},
        {"channels": [f"poll:{n}" for n in range(MOST_CHANNELS + 1)]},
        {"subs": []},
        {"subs": {"": {}}},
        {"subs": {"poll:a": []}},
        {"subs": {"poll:a": None}},
        {"subs": {"poll:a": {"b64data": "?"}}},
        {"subs": {"poll:a": {"override": {"presence": True}}}},
        {"subs": {"poll:a": {"override": {"presence": {"value": 1}}}}},
        {"subs": {f"poll:{n}": {} for n in range(MOST_CHANNELS + 1)}},
    ],
    ids=lambda claims: json.dumps(claims)[:40],
)
def test_claims_that_are_none(claims: dict[str, Any]) -> None:
    """One claim of another type or form, and all of the token is invalid."""
    assert fault(**claims) is Fault.CLAIMS


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"7", b'"x"', b"{", b"{}x", b"\xff{}"])
def test_payloads_that_are_none(payload: bytes) -> None:
    """Signed, but not one JSON object."""
    made = assemble({"alg": "HS256"}, payload or b" ", signature("HS256"))
    with pytest.raises(InvalidToken):
        verify_connection(made, NOW)


@pytest.mark.parametrize("depth", [16, 500, 2_000])
def test_nesting(depth: int) -> None:
    """Sixteen deep is enough for anybody; deeper is refused, and no more than refused."""
    payload = b'{"info":' + b"[" * depth + b"]" * depth + b"}"
    made = assemble({"alg": "HS256"}, payload, signature("HS256"))
    if depth == 16:
        assert verify_connection(made, NOW).info
    else:
        with pytest.raises(InvalidToken):
            verify_connection(made, NOW)


def test_half_a_surrogate_pair() -> None:
    """What no encoding of text has is refused: it could neither be stored nor sent."""
    for text in (rb'{"info":"\ud800"}', rb'{"sub":"\ud800"}', rb'{"meta":{"\udc00":1}}'):
        made = assemble({"alg": "HS256"}, text, signature("HS256"))
        with pytest.raises(InvalidToken):
            verify_connection(made, NOW)


@pytest.mark.parametrize("channel", ["poll:a", "", None, 1])
def test_a_subscriptions_token_opens_no_connection(channel: Any) -> None:
    """The claim `channel` alone makes it one, whatever its value."""
    assert fault(channel=channel) is Fault.KIND


def test_info_in_base64() -> None:
    """Is JSON as well, and wins."""
    assert read(b64info=base64({"a": [1]})).info == {"a": [1]}
    assert read(info=1, b64info=base64(2)).info == 2
    assert read(info=1, b64info="").info == 1


@pytest.mark.parametrize("info", [{}, [], "", 0, False, {"a": None}])
def test_info_is_any_json(info: Any) -> None:
    """And stays what it is; only null is nothing."""
    assert read(info=info).info == info


def test_channels_with_options() -> None:
    """`subs` says more of channels than `channels`, and wins over it."""
    override = {
        "presence": {"value": True},
        "join_leave": {"value": False},
        "force_recovery": {},
        "new_in_another_version": {"value": True},
    }
    found = read(
        channels=["poll:z"],
        subs={
            "poll:a": {"info": "i", "data": {"d": 1}, "override": override},
            "$poll:b": {"b64info": base64("i"), "b64data": base64([1])},
        },
    )
    assert found.subs == {
        "poll:a": SubscriptionOptions(
            info="i",
            data={"d": 1},
            override=Override(presence=True, join_leave=False, force_recovery=False),
        ),
        "$poll:b": SubscriptionOptions(info="i", data=[1]),
    }
    assert list(read(channels=["poll:z"], subs={}).subs) == ["poll:z"]


def test_as_many_channels_as_a_connection_may_have() -> None:
    """128 in either claim; the same one twice is one."""
    names = [f"poll:{n}" for n in range(MOST_CHANNELS)]
    assert list(read(channels=names).subs) == names
    assert list(read(subs={name: {} for name in names}).subs) == names
    assert list(read(channels=["poll:a", "poll:a"]).subs) == ["poll:a"]


def test_audience(settings: Settings) -> None:
    """When one is set, a token is for it, alone or among others; else nobody asks."""
    assert read(aud="elsewhere").user == "7"
    settings.CARILLON_TOKEN_AUDIENCE = "carillon"
    for aud in ("carillon", ["other", "carillon"]):
        assert read(aud=aud).user == "7"
    for aud in (..., None, "", "Carillon", "carillon2", [], ["other"]):
        assert fault(aud=aud) is Fault.AUDIENCE


def test_issuer(settings: Settings) -> None:
    """When one is set, a token is from it; else nobody asks."""
    assert read(iss="elsewhere").user == "7"
    settings.CARILLON_TOKEN_ISSUER = "https://login.example.org"
    assert read(iss="https://login.example.org").user == "7"
    for iss in (..., None, "", "https://login.example.org/", "login.example.org"):
        assert fault(iss=iss) is Fault.ISSUER


def test_an_expired_token_for_others_is_invalid(settings: Settings) -> None:
    """A client must not be sent to fetch another that will be refused as well."""
    settings.CARILLON_TOKEN_AUDIENCE = "carillon"
    assert fault(exp=NOW - 1, aud="other") is Fault.AUDIENCE


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_public_keys_of_the_settings(algorithm: str, settings: Settings) -> None:
    """Their tokens count as soon as they are named, and no longer."""
    made = token(algorithm)
    with pytest.raises(InvalidToken) as caught:
        verify_connection(made, NOW)
    assert caught.value.fault is Fault.ALGORITHM
    settings.CARILLON_TOKEN_PUBLIC_KEYS = [pem(private(algorithm, 2)), pem(private(algorithm))]
    assert verify_connection(made, NOW).user == "7"
    settings.CARILLON_TOKEN_PUBLIC_KEYS = [pem(private("RS512", 2))]
    with pytest.raises(InvalidToken):
        verify_connection(made, NOW)


def test_secrets_of_the_settings(settings: Settings) -> None:
    """Several count at once; one that is taken out counts no more."""
    made = token()
    settings.CARILLON_TOKEN_SECRETS = ["x" * 40, *settings.CARILLON_TOKEN_SECRETS]
    assert verify_connection(made, NOW).user == "7"
    settings.CARILLON_TOKEN_SECRETS = ["x" * 40]
    with pytest.raises(InvalidToken) as caught:
        verify_connection(made, NOW)
    assert caught.value.fault is Fault.SIGNATURE


def test_errors_tell_nothing_of_a_token(settings: Settings) -> None:
    """Neither its text nor what stands in it, wherever the error is printed."""
    words = "a-name-that-nobody-else-has"
    settings.CARILLON_TOKEN_ISSUER = "here"
    bad = [
        token(iss=words),
        token(iss="here", sub=[words]),
        token(iss="here", info={words: "\0"}),
        token(iss="here", exp=1, sub=words),
        token(sub=words) + "x",
        token(sign=lambda _: b"x", sub=words),
        assemble({"alg": words}, {"sub": words}, lambda _: b"x"),
        assemble({"alg": "HS256", "b64": words}, {"sub": words}, lambda _: b"x"),
    ]
    for made in bad:
        with pytest.raises(TokenError) as caught:
            verify_connection(made, NOW)
        error = caught.value
        said = f"{error} {error!r} {error.args} {vars(error)}"
        assert words not in said
        assert not any(part in said for part in made.split("."))
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None


@given(st.dictionaries(CLAIMS, JSON_VALUES, max_size=6))
def test_any_claims(claims: dict[str, Any]) -> None:
    """Whatever another server writes, it is read or refused, and nothing else happens."""
    opened = Opened(json.dumps(claims).encode(), issued_here=False)
    with suppress(TokenError):
        json.dumps(read_connection(opened, Readership(), NOW, SEALER).info)
    with suppress(TokenError):
        json.dumps(read_subscription(opened, Readership(), NOW).options.info)
