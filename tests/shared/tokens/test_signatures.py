"""Whose signature counts, and for what; nothing that was changed or forged."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.tokens.exceptions import Fault, InvalidToken
from shared.tokens.keys import ALGORITHMS, Key, KeyRing
from shared.tokens.signatures import TOKEN_BYTES, open_token, signed
from tests.shared.tokens.makers import (
    SECRET,
    assemble,
    hs,
    pem,
    private,
    rs,
    segment,
    signature,
    token,
)

RING = KeyRing([Key.shared(SECRET.encode())])
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


# One of each kind, as each signature by a curve is another one.
made_once = cache(token)


@cache
def everybodys() -> KeyRing:
    """All that may be configured at once: a secret, and a public key of each kind."""
    kinds = ("RS256", "ES256", "ES384", "ES512")
    return KeyRing([Key.shared(SECRET.encode()), *(Key.public(pem(private(k))) for k in kinds)])


def fault(text: str, ring: KeyRing = RING) -> Fault:
    with pytest.raises(InvalidToken) as caught:
        open_token(text, ring)
    return caught.value.fault


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm(algorithm: str) -> None:
    """What another server signs by any of the nine is read as it was written."""
    made = token(algorithm, note="ü")
    opened = open_token(made, everybodys())
    assert json.loads(opened.payload)["note"] == "ü"
    assert not opened.issued_here


def test_the_example_of_the_standard() -> None:
    """RFC 7515, appendix A.1: somebody else's bytes, line breaks in its JSON included."""
    key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    ring = KeyRing([Key.shared(urlsafe_b64decode(key + "=="))])
    example = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    opened = open_token(example, ring)
    assert json.loads(opened.payload)["iss"] == "joe"


def test_our_own() -> None:
    """What we sign is known as ours, and counts by HS256 alone."""
    secret = SECRET.encode()
    ring = KeyRing([Key.own(secret)])
    opened = open_token(signed(b"{}", secret), ring)
    assert opened == (b"{}", True)
    assert fault(token("HS512"), ring) is Fault.ALGORITHM


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
@settings(deadline=None)
@given(data=st.data())
def test_a_changed_token_is_refused(algorithm: str, data: st.DataObject) -> None:
    """Whatever character is replaced, added or left out, wherever, nothing of it counts."""
    made = made_once(algorithm)
    place = data.draw(st.integers(0, len(made) - 1))
    put = data.draw(st.text(st.sampled_from(BASE64 + ".=+/ \n\0é"), max_size=3))
    keep = data.draw(st.integers(0, 2))
    changed = made[:place] + put + made[place + keep :]
    if changed != made:
        with pytest.raises(InvalidToken):
            open_token(changed, everybodys())


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
def test_a_signature_is_written_in_one_way(algorithm: str) -> None:
    """The last character has bits that mean nothing; another one there is another token."""
    made = token(algorithm)
    others = [made[:-1] + each for each in BASE64 if each != made[-1]]
    assert all(fault(each, everybodys()) in Fault for each in others)


@given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,40}(\.[\w-]{0,40}){0,4}", fullmatch=True))
def test_any_text(text: str) -> None:
    """Whatever a client sends instead of a token is invalid, and no other error."""
    assert fault(text) in Fault


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b'{"alg":null}',
        b'{"alg":["HS256"]}',
        b'{"alg":"HS256"} x',
        b'{"alg":"HS256","b64":false}',
        b'{"alg":"HS256","b64":false,"crit":["b64"]}',
        b'{"alg":"HS256","crit":[]}',
        b'{"alg":"HS256","crit":null}',
        b'{"alg":"HS256","x":' + b"[" * 2_000,
        b'{"alg":"HS256","x":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b'{"alg":"HS256","x":NaN}',
        b'{"alg":"\xff"}',
        b'{"alg":"HS256","x":"' + b"x" * 4_096 + b'"}',
    ],
)
def test_headers_that_are_none(header: bytes) -> None:
    """A header that cannot be read, or asks for what we do not do, though it is signed well."""
    assert fault(assemble(header, {"sub": "7"}, hs(SECRET))) is Fault.MALFORMED


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", "hs256", "PS256", "EdDSA"])
def test_other_algorithms(name: str) -> None:
    """No signature at all, other spellings, other algorithms: nothing is for them."""
    for sign in (hs(SECRET), lambda _: b"x"):
        assert fault(assemble({"alg": name}, {}, sign), everybodys()) is Fault.ALGORITHM
    unsigned = assemble({"alg": name}, {}, lambda _: b"")
    assert fault(unsigned, everybodys()) is Fault.MALFORMED


@pytest.mark.parametrize("kind", ["RS256", "ES256"])
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_no_secret(kind: str, algorithm: str) -> None:
    """Who signs with a public key's text, which everybody has, as a secret is not believed."""
    text = pem(private(kind))
    for secret in (text, text.strip(), text.replace("\n", ""), text.split("\n")[1]):
        forged = assemble({"alg": algorithm}, {"sub": "1"}, hs(secret, algorithm))
        only_public = KeyRing([Key.public(text)])
        assert fault(forged, only_public) is Fault.ALGORITHM
        assert fault(forged, everybodys()) is Fault.SIGNATURE


def test_a_key_in_the_header_is_not_looked_at() -> None:
    """Neither one that the token brings along nor an address to fetch one from."""
    header = {
        "alg": "HS256",
        "kid": "../../dev/null",
        "jku": "http://127.0.0.1:9/keys",
        "jwk": {"kty": "oct", "k": segment(b"x" * 32)},
    }
    assert fault(assemble(header, {}, hs(b"x" * 32))) is Fault.SIGNATURE
    assert open_token(assemble(header, {}, hs(SECRET)), RING).payload == b"{}"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_somebody_elses_key(algorithm: str) -> None:
    """A good signature by a key that is not ours."""
    strange = hs("x" * 64, algorithm) if algorithm[0] == "H" else signature(algorithm, 2)
    assert fault(token(algorithm, strange), everybodys()) is Fault.SIGNATURE


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_for_other_algorithms(algorithm: str) -> None:
    """Each kind of key opens its own tokens; to the others there is no key."""
    made = token(algorithm)
    for kind in ("RS256", "ES256", "ES384", "ES512"):
        if kind != algorithm and not (kind == "RS256" and algorithm[0] == "R"):
            assert fault(made, KeyRing([Key.public(pem(private(kind)))])) is Fault.ALGORITHM


def test_a_curve_has_one_algorithm() -> None:
    """P-384 with the name of the algorithm of P-256 is nothing, though the key is ours."""
    crossed = assemble({"alg": "ES256"}, {}, signature("ES384"))
    assert fault(crossed, everybodys()) is Fault.SIGNATURE
    assert fault(crossed, KeyRing([Key.public(pem(private("ES384")))])) is Fault.ALGORITHM


def test_a_curves_signature_has_one_form() -> None:
    """DER, as OpenSSL writes it, is not how tokens have it."""
    key = private("ES256")
    der = assemble({"alg": "ES256"}, {}, lambda text: key.sign(text, ec.ECDSA(hashes.SHA256())))
    assert fault(der, everybodys()) is Fault.SIGNATURE


def test_short_secrets_are_for_short_hashes() -> None:
    """A secret has as many bytes as the hash, or is not for it."""
    for size, names in ((32, {"HS256"}), (48, {"HS256", "HS384"}), (64, set(ALGORITHMS[:3]))):
        assert Key.shared(b"x" * size).algorithms == names


def test_several_keys_at_once() -> None:
    """While one key takes over from another, both count; the old one ends when it is taken out."""
    old, new = private("RS256"), private("RS256", 2)
    both = KeyRing([Key.public(pem(old)), Key.public(pem(new))])
    for key in (old, new):
        assert open_token(token("RS256", rs(key)), both).payload
    assert fault(token("RS256", rs(old)), KeyRing([Key.public(pem(new))])) is Fault.SIGNATURE


def test_size() -> None:
    """16 KiB are a token, one more byte is none; nothing of it was decoded."""
    room = TOKEN_BYTES - len(token(pad=""))
    largest = token(pad="x" * (room * 3 // 4 - 2))
    assert TOKEN_BYTES - 8 <= len(largest) <= TOKEN_BYTES
    assert open_token(largest, RING).payload
    assert fault(token(pad="x" * (room * 3 // 4 + 8))) is Fault.MALFORMED
    assert fault("x" * 10_000_000) is Fault.MALFORMED


def test_keys_do_not_show_themselves() -> None:
    """A key in a log line or a traceback is its algorithms."""
    assert SECRET not in repr(Key.shared(SECRET.encode()))
