"""
From a token's text to what was signed, or nothing. Pure: no Django, no I/O.

PyJWT checks signatures, and that a token is written in the one way there is to write it. Claims are
not its business here: it would take the time from its own clock.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import NamedTuple

import jwt
import msgspec

from shared.tokens.exceptions import Fault, InvalidToken
from shared.tokens.keys import ALGORITHMS, KeyRing

__all__ = ["TOKEN_BYTES", "Opened", "open_token", "signed"]

TOKEN_BYTES = 16 * 1024
# Read before anything is known of who wrote it.
_HEADER_CHARACTERS = 4 * 1024

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

# It knows no other algorithm: not `none` either.
_jws = jwt.PyJWS(algorithms=ALGORITHMS)


class Opened(NamedTuple):
    """What a good signature vouches for."""

    payload: bytes
    issued_here: bool


class _Header(msgspec.Struct):
    alg: str


def open_token(token: str, keys: KeyRing) -> Opened:
    """
    Return what is signed in a token, after its signature has been checked.

    Raises:
        InvalidToken: malformed, of an algorithm that no key is for, or signed by nobody we know.
    """
    algorithm = _algorithm_of(token)
    candidates = keys.keys_for(algorithm)
    if not candidates:
        raise InvalidToken(Fault.ALGORITHM)
    for key in candidates:
        try:
            payload = _jws.decode(token, key.material, algorithms=[algorithm])
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise InvalidToken(Fault.MALFORMED) from None
        return Opened(payload, key.issued_here)
    raise InvalidToken(Fault.SIGNATURE)


def signed(payload: bytes, secret: bytes) -> str:
    """Return a token of ours, by HS256."""
    return _jws.encode(payload, secret, algorithm="HS256")


def _algorithm_of(token: str) -> str:
    if len(token) > TOKEN_BYTES or (match := _COMPACT.fullmatch(token)) is None:
        raise InvalidToken(Fault.MALFORMED)
    header = match[1]
    if len(header) > _HEADER_CHARACTERS:
        raise InvalidToken(Fault.MALFORMED)
    try:
        text = urlsafe_b64decode(header + "=" * (-len(header) % 4))
        return msgspec.json.decode(text, type=_Header).alg
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Without its cause, whose words quote the token.
        raise InvalidToken(Fault.MALFORMED) from None
