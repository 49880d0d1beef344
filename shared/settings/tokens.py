"""Whose tokens count beside our own: secrets and public keys of other servers."""

from __future__ import annotations

import re

from django.core.exceptions import ImproperlyConfigured

from shared.settings import env

__all__ = ["public_keys", "secrets"]

_SECRETS = "CARILLON_TOKEN_SECRETS"
_SECRET_BYTES = 32
_PUBLIC_KEYS = "CARILLON_TOKEN_PUBLIC_KEYS"
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----")
_RSA_BITS = 2048
_CURVES = {"secp256r1", "secp384r1", "secp521r1"}


def secrets() -> list[str]:
    """Return the secrets that other servers sign with, comma-separated; without any, none."""
    found = env.listing(_SECRETS)
    for secret in found:
        if len(secret.encode()) < _SECRET_BYTES:
            raise ImproperlyConfigured(
                f"{_SECRETS} holds one of fewer than {_SECRET_BYTES} characters: "
                "make them with `openssl rand -hex 32`."
            )
        _refuse_other_keys(secret)
    return found


def public_keys() -> list[str]:
    """
    Return the public keys of other servers, each in PEM; without any, none.

    They stand one after the other. A line's end may be written as a backslash and an n, or be a
    blank, as files of variables have it.
    """
    given = env.text(_PUBLIC_KEYS, "").replace("\\n", "\n")
    found = [_pem(match[1], match[2]) for match in _PEM.finditer(given)]
    if _PEM.sub("", given).strip():
        raise ImproperlyConfigured(
            f"{_PUBLIC_KEYS} holds something else than public keys in PEM: "
            "write -----BEGIN PUBLIC KEY----- and so on, one after the other."
        )
    return found


def _refuse_other_keys(secret: str) -> None:
    # Only where there are any: most deployments need not load it.
    from jwt import InvalidKeyError
    from jwt.algorithms import HMACAlgorithm

    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except InvalidKeyError as error:
        raise ImproperlyConfigured(
            f"{_SECRETS} holds a key of another kind: public keys go into {_PUBLIC_KEYS}."
        ) from error


def _pem(label: str, body: str) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if "PRIVATE" in label:
        raise ImproperlyConfigured(
            f"{_PUBLIC_KEYS} holds a private key: keep it where tokens are signed, "
            "and write the public one that `openssl pkey -pubout` makes of it."
        )
    text = "".join(body.split())
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    pem = "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ImproperlyConfigured(
            f"{_PUBLIC_KEYS} holds a key that cannot be read: write each as "
            "`openssl pkey -pubout` does."
        ) from error
    match key:
        case RSAPublicKey() if key.key_size >= _RSA_BITS:
            return pem
        case EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return pem
    raise ImproperlyConfigured(
        f"{_PUBLIC_KEYS} holds a key of a kind that tokens are not signed with here: take RSA "
        f"of {_RSA_BITS} bits or more, or one of the curves P-256, P-384 and P-521."
    )
