"""The session store: Django's own in the database, for keys that Django itself would make."""

from __future__ import annotations

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore

__all__ = ["SessionStore"]


class SessionStore(DatabaseSessionStore):
    """
    Treats a key that cannot be one as no key at all.

    A quoted cookie may hold any octet. PostgreSQL refuses NUL with an error, which would make
    every page and handshake of such a client a 500.
    """

    def _validate_session_key(self, key: str) -> bool:
        return bool(key) and len(key) == 32 and key.isascii() and key.isalnum()
