"""Sessions: Django's store in the database, which tells their end, and who many of them are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.crypto import constant_time_compare

__all__ = ["SessionStore", "users_of"]


class SessionStore(DatabaseSessionStore):
    """
    Treats a key that cannot be one as no key at all, and ends connections with their session.

    A quoted cookie may hold any octet. PostgreSQL refuses NUL with an error, which would make
    every page and handshake of such a client a 500.
    """

    def _validate_session_key(self, key: str) -> bool:
        return bool(key) and len(key) == 32 and key.isascii() and key.isalnum()

    def flush(self) -> None:
        """
        End the session, and what was opened with it.

        Here and not when somebody is signed out, because who signs in as somebody else ends the
        session of the one before by this alone.
        """
        from shared.accounts.actions import do_end_session

        user_id = self.get(SESSION_KEY)
        # Known after the session was looked at: one that is not there has none.
        if user_id is not None and self.session_key is not None:
            do_end_session(user_id, self.session_key)
        super().flush()

    async def aflush(self) -> None:
        """Do what `flush` does."""
        await sync_to_async(self.flush)()


def users_of(session_keys: Collection[str]) -> dict[str, AbstractBaseUser]:
    """
    Return by session key who is signed in; a key with which nobody is, is left out.

    Two statements for any number of sessions. The checks are those of Django's own `get_user`
    (django/contrib/auth/__init__.py): a backend that is still configured, whom it lets in, and
    the hash that a new password changes. Nothing is written, so a session with the hash of an
    older secret key stays as it is.
    """
    store = SessionStore()
    keys = {key for key in session_keys if store._validate_session_key(key)}
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    sessions = {
        key: store.decode(data) for key, data in rows.values_list("session_key", "session_data")
    }
    users = _users({key: data for key, data in sessions.items() if SESSION_KEY in data})
    return {key: user for key, user in users.items() if _is_current(user, sessions[key])}


def _users(sessions: Mapping[str, Mapping[str, Any]]) -> dict[str, AbstractBaseUser]:
    found: dict[str, AbstractBaseUser] = {}
    together: dict[str, Any] = {}
    for key, data in sessions.items():
        path = str(data.get(BACKEND_SESSION_KEY))
        if path not in settings.AUTHENTICATION_BACKENDS:
            continue
        backend = load_backend(path)
        try:
            user_id = get_user_model()._meta.pk.to_python(data[SESSION_KEY])
        except ValidationError:
            continue
        if type(backend).get_user is ModelBackend.get_user:
            together[key] = user_id, backend
        elif (user := backend.get_user(user_id)) is not None:
            found[key] = user
    by_id = get_user_model()._default_manager.in_bulk({user_id for user_id, _ in together.values()})
    taken: set[int] = set()
    for key, (user_id, backend) in together.items():
        user = by_id.get(user_id)
        if user is not None and backend.user_can_authenticate(user):
            # Each has an instance to itself: they are used in several threads.
            found[key] = copy(user) if id(user) in taken else user
            taken.add(id(user))
    return found


def _is_current(user: AbstractBaseUser, session: Mapping[str, Any]) -> bool:
    given = str(session.get(HASH_SESSION_KEY, ""))
    return bool(given) and any(
        constant_time_compare(given, current)
        for current in (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    )
