"""Whose tokens count here, as the settings say at this moment."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.utils.crypto import salted_hmac

from shared.tokens.claims import Readership
from shared.tokens.keys import Key, KeyRing
from shared.tokens.sealing import Sealer

__all__ = ["key_ring", "own_secret", "readership", "sealer"]


def key_ring() -> KeyRing:
    """Return all keys that count: ours, and those of other servers."""
    return _ring(
        (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS),
        tuple(settings.CARILLON_TOKEN_SECRETS),
        tuple(settings.CARILLON_TOKEN_PUBLIC_KEYS),
    )


def own_secret() -> bytes:
    """Return what we sign with: made from the secret key, which it tells nothing of."""
    return _derived(settings.SECRET_KEY)


def sealer() -> Sealer:
    """Return what seals the parts of our own tokens that are for nobody else."""
    return _sealer((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def readership() -> Readership:
    """Return whom tokens must be for, and from."""
    return Readership(settings.CARILLON_TOKEN_AUDIENCE, settings.CARILLON_TOKEN_ISSUER)


# Settings change in tests alone. A public key takes longer to read than a signature to check.
@lru_cache(maxsize=4)
def _ring(own: tuple[str, ...], secrets: tuple[str, ...], public: tuple[str, ...]) -> KeyRing:
    return KeyRing(
        [
            *(Key.own(_derived(secret)) for secret in own),
            *(Key.shared(secret.encode()) for secret in secrets),
            *(Key.public(pem) for pem in public),
        ]
    )


@lru_cache(maxsize=4)
def _derived(secret: str) -> bytes:
    return salted_hmac("shared.tokens", "HS256", secret=secret, algorithm="sha512").digest()


@lru_cache(maxsize=4)
def _sealer(secrets: tuple[str, ...]) -> Sealer:
    salt = "shared.tokens.sealing"
    return Sealer(
        salted_hmac(salt, "A128CBC-HS256", secret=secret, algorithm="sha256").digest()
        for secret in secrets
    )
