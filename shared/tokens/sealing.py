"""
Sealed text: what a token carries for us alone, though whoever holds it can read the rest. Pure.

A token that was got with a session says with which, so that it ends with it. The session's key is
a secret that scripts are kept from (HttpOnly), and a page's token is in its scripts' hands.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

__all__ = ["Sealer", "Unsealable"]


class Unsealable(ValueError):
    """Nobody who has one of the keys has sealed it."""


class Sealer:
    """Seals by the first of its keys, and opens what any of them has sealed."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        """Take keys of 32 bytes, one at least."""
        self._boxes = MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])

    def seal(self, text: str) -> str:
        """Return a text as nobody else can read or make it."""
        return self._boxes.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """
        Return the text again.

        Raises:
            Unsealable: it was sealed by none of the keys.
        """
        try:
            return self._boxes.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Unsealable from None
