"""
A mirror for headers: what reached the web tier of a request that `realtime_check` sent itself.

Whether nginx overwrites what clients forge shows behind it alone. So a request that carries a
proof, made with the deployment's own secret and good for a minute, is told its headers; any other
one is told that there is nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.signing import BadSignature, TimestampSigner

__all__ = ["ADDRESS", "PROOF_HEADER", "SHOWN", "is_proof", "proof", "reflection"]

ADDRESS = "operations/mirror"
PROOF_HEADER = "Carillon-Check"

_SECONDS = 60
_signer = TimestampSigner(salt="carillon.operations.mirror")
_WORDS = "mirror"

# What is shown, and nothing else: never a cookie.
SHOWN = (
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "Forwarded",
    "Daphne-Root-Path",
    "X-Request-ID",
)


def proof() -> str:
    """Return what a request needs to be shown its headers, for a minute."""
    return _signer.sign(_WORDS)


def is_proof(text: str) -> bool:
    """Say whether this very deployment has made it, and lately."""
    try:
        return _signer.unsign(text, max_age=_SECONDS) == _WORDS
    except BadSignature:
        return False


def reflection(headers: Mapping[str, str], *, is_secure: bool) -> dict[str, Any]:
    """Return what is shown of a request."""
    return {
        "headers": {name: headers[name] for name in SHOWN if name in headers},
        "is_secure": is_secure,
    }
