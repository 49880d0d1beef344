"""`CARILLON_TOKEN_*`: keys of other servers, refused at the start when they cannot be right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import ImproperlyConfigured

from shared.settings.tokens import public_keys, secrets
from shared.tokens.keys import Key
from tests.shared.tokens.makers import pem, private

SECRETS = "CARILLON_TOKEN_SECRETS"
PUBLIC_KEYS = "CARILLON_TOKEN_PUBLIC_KEYS"


def refusal(read: Callable[[], Any], secret: str) -> str:
    """Return the sentence of a refusal, which must not show what it refuses."""
    with pytest.raises(ImproperlyConfigured) as caught:
        read()
    sentence = str(caught.value)
    assert sentence.startswith("CARILLON_TOKEN_")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert secret not in sentence
    return sentence


def test_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of the box only our own tokens count."""
    for value in (None, "", "  "):
        for name in (SECRETS, PUBLIC_KEYS):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)
        assert secrets() == []
        assert public_keys() == []


def test_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comma-separated, of 32 characters and more."""
    monkeypatch.setenv(SECRETS, f"{'a' * 32}, {'b' * 64},")
    assert secrets() == ["a" * 32, "b" * 64]


def test_a_short_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that could be guessed is refused, among whichever others."""
    monkeypatch.setenv(SECRETS, f"{'a' * 32},{'b' * 31}")
    assert "32 characters" in refusal(secrets, "b" * 31)


def test_a_key_among_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public key, which everybody may have, is no secret."""
    text = pem(private("ES256"))
    for value in (text, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJjkJlYb4mJ4mJ4mJ4mJ4mJ4mJ4mJ4"):
        monkeypatch.setenv(SECRETS, value)
        assert PUBLIC_KEYS in refusal(secrets, value)


@pytest.mark.parametrize(
    "mangled",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\\n"),
        lambda text: text.replace("\n", " "),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\n    "),
    ],
)
def test_public_keys(mangled: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Several, one after the other, as variables may hold them: each comes out as PEM."""
    kinds = ["RS256", "ES256", "ES384", "ES512"]
    texts = [pem(private(kind)) for kind in kinds]
    monkeypatch.setenv(PUBLIC_KEYS, mangled("".join(texts)))
    assert public_keys() == texts
    for kind, text in zip(kinds, public_keys(), strict=True):
        assert kind in Key.public(text).algorithms


def test_a_private_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not belong here, and is not printed."""
    key = private("ES256")
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        text = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        monkeypatch.setenv(PUBLIC_KEYS, text)
        assert "private key" in refusal(public_keys, text.split("\n")[1])


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate,
    ],
    ids=["small", "curve", "edwards"],
)
def test_keys_of_other_kinds(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones, and those that no algorithm of ours is for."""
    key = make()
    text = pem(key)
    monkeypatch.setenv(PUBLIC_KEYS, text)
    assert "2048 bits" in refusal(public_keys, text.split("\n")[1])
    if not isinstance(key, rsa.RSAPrivateKey):
        with pytest.raises(ValueError, match="P-256"):
            Key.public(text)


@pytest.mark.parametrize(
    "value",
    [
        "/etc/carillon/key.pem",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_key(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that says how a key is written."""
    monkeypatch.setenv(PUBLIC_KEYS, value)
    refusal(public_keys, "AAAA")


def test_one_bad_key_among_good_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses all: a key that is silently left out would be missed when it matters."""
    monkeypatch.setenv(PUBLIC_KEYS, pem(private("ES256")) + "# a comment\n")
    refusal(public_keys, "comment")
