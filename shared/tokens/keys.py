"""
Keys that tokens are checked with, each for its own algorithms alone. Pure: no Django, no I/O.

A token says itself which algorithm it is signed by, so a key must say it, too: otherwise somebody
signs with a public key as if it were a secret, and is believed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

__all__ = ["ALGORITHMS", "Key", "KeyRing"]

# The bytes that a secret must have for it: as many as the hash (RFC 7518, section 3.2).
_HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
_RSA = frozenset({"RS256", "RS384", "RS512"})
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

ALGORITHMS = (*_HMAC, *sorted(_RSA), *_CURVES.values())


@dataclass(frozen=True, slots=True)
class Key:
    """
    Attributes:
        algorithms: what it may check, and nothing else.
        material: the secret or the public key.
        issued_here: whether this deployment signs with it.
    """

    algorithms: frozenset[str]
    material: bytes | RSAPublicKey | EllipticCurvePublicKey = field(repr=False)
    issued_here: bool = False

    @classmethod
    def own(cls, secret: bytes) -> Key:
        """Return the key that we sign with ourselves, by HS256."""
        return cls(frozenset({"HS256"}), secret, issued_here=True)

    @classmethod
    def shared(cls, secret: bytes) -> Key:
        """Return a secret that another server signs with; a short one is not for long hashes."""
        return cls(frozenset(name for name, size in _HMAC.items() if len(secret) >= size), secret)

    @classmethod
    def public(cls, pem: str) -> Key:
        """
        Return the key to another server's signatures.

        Raises:
            ValueError: it is no public key in PEM, or of a kind that tokens are not signed with.
        """
        match load_pem_public_key(pem.encode()):
            case RSAPublicKey() as rsa:
                return cls(_RSA, rsa)
            case EllipticCurvePublicKey() as curve if curve.curve.name in _CURVES:
                return cls(frozenset({_CURVES[curve.curve.name]}), curve)
            case _:
                raise ValueError("neither RSA nor one of the curves P-256, P-384 and P-521")


class KeyRing:
    """All keys that count now; several of a kind while one takes over from another."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._by_algorithm: dict[str, list[Key]] = {}
        for key in keys:
            for algorithm in key.algorithms:
                self._by_algorithm.setdefault(algorithm, []).append(key)

    def keys_for(self, algorithm: str) -> list[Key]:
        """Return those that may check an algorithm, in their order; none for an unknown one."""
        return self._by_algorithm.get(algorithm, [])
