"""Tokens as other servers make them, or forge them: by hand, without the library under test."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOW = 1_800_000_000
SECRET = "the secret of another server, 64 characters at least, as HS512 asks"

type Sign = Callable[[bytes], bytes]

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: dict[str, ec.EllipticCurve] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}


def segment(content: bytes | object) -> str:
    """Return bytes, or a value as JSON, in the base64 of tokens."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def assemble(header: object, payload: object, sign: Sign) -> str:
    """Return header and payload, each bytes or a value, with a signature."""
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{signed}.{segment(sign(signed.encode()))}"


def hs(secret: str | bytes, algorithm: str = "HS256") -> Sign:
    key = secret.encode() if isinstance(secret, str) else secret
    return lambda signed: hmac.digest(key, signed, f"sha{algorithm[2:]}")


def rs(key: rsa.RSAPrivateKey, algorithm: str = "RS256") -> Sign:
    return lambda signed: key.sign(signed, padding.PKCS1v15(), _HASHES[algorithm[2:]])


def es(key: ec.EllipticCurvePrivateKey, algorithm: str = "ES256") -> Sign:
    size = (key.curve.key_size + 7) // 8

    def sign(signed: bytes) -> bytes:
        both = decode_dss_signature(key.sign(signed, ec.ECDSA(_HASHES[algorithm[2:]])))
        return b"".join(each.to_bytes(size) for each in both)

    return sign


def private(algorithm: str, number: int = 1) -> Any:
    """Return a key for an algorithm, the same for each number; making one takes a while."""
    return _rsa(number) if algorithm.startswith("RS") else _curve(algorithm, number)


@cache
def _rsa(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _curve(algorithm: str, number: int) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(_CURVES[algorithm])


def pem(key: Any) -> str:
    """Return the public half."""
    public = key.public_key()
    text: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def signature(algorithm: str, number: int = 1) -> Sign:
    """Return how a server with our SECRET, or with the private key of that number, signs."""
    match algorithm[:2]:
        case "HS":
            return hs(SECRET, algorithm)
        case "RS":
            return rs(private(algorithm, number), algorithm)
        case _:
            return es(private(algorithm, number), algorithm)


def token(algorithm: str = "HS256", sign: Sign | None = None, **claims: Any) -> str:
    """Return a token for user 7 that is good for a minute; a claim of ... is left out."""
    payload = {"sub": "7", "exp": NOW + 60, **claims}
    given = {name: value for name, value in payload.items() if value is not ...}
    return assemble({"alg": algorithm, "typ": "JWT"}, given, sign or signature(algorithm))
