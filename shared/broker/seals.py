"""
Seals: by which a gateway knows that what it hears was sent by one of our processes.

Whoever has an account on the broker can send to gateways, and what a bell says is delivered, or
obeyed, as it stands there. So each body is put into another one, with a code that only those can
make who have the deployment's secret key (HMAC, RFC 2104). Nothing of a body is read before that.
A bell that somebody has heard can be sent again: where it has an offset it is a repetition.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac

from shared.broker.wire import MalformedBell, decode, encode_control

__all__ = ["opened", "sealed"]

_KIND = "bell.sealed"


def sealed(group: str, body: bytes) -> bytes:
    """Return the body that carries another one for a group."""
    seal = _seal(body, settings.SECRET_KEY)
    return encode_control(group, _KIND, {"body": body, "seal": seal})


def opened(event: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the event that a received one carries.

    Raises:
        MalformedBell: it carries none, or was sent by somebody who does not know our secret.
    """
    body, seal = event.get("body"), event.get("seal")
    if event.get("type") != _KIND or not isinstance(body, bytes) or not isinstance(seal, bytes):
        raise MalformedBell("without a seal")
    secrets = [settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS)]
    if not any(hmac.compare_digest(_seal(body, secret), seal) for secret in secrets):
        raise MalformedBell("with a seal that is not ours")
    return decode(body)


def _seal(body: bytes, secret: str) -> bytes:
    return hmac.digest(_key(secret), body, "sha256")


# Settings change in tests alone.
@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return salted_hmac("shared.broker.seals", "", secret=secret, algorithm="sha256").digest()
