"""
Logins: what somebody connects with, and whether it still counts.

A connection ends with the session or the API key that it was opened with, or that its token was
got with: `do_end_session` and `do_revoke_key` tell it to those that are there. For those that are
just being opened, and for tokens from before, it is asked here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.utils import timezone

from shared.accounts.keys import digest_of
from shared.accounts.models import ApiKey, User
from shared.tokens.grants import NO_ORIGIN, ConnectionToken, Origin

__all__ = [
    "Login",
    "holders_of",
    "is_outdated",
    "login_of",
    "mark_of",
    "passwords_among",
    "sessions_among",
]


_SESSIONS_POSTGRESQL = """
    SELECT session_key FROM django_session WHERE expire_date > %s AND session_key = ANY(%s)
"""
_SESSIONS_SQLITE = """
    SELECT session_key FROM django_session
    WHERE expire_date > %s AND session_key IN (SELECT value FROM json_each(%s))
"""
_PASSWORDS_POSTGRESQL = "SELECT id, password FROM accounts_user WHERE is_active AND id = ANY(%s)"
_PASSWORDS_SQLITE = """
    SELECT id, password FROM accounts_user
    WHERE is_active AND id IN (SELECT value FROM json_each(%s))
"""


class Login(NamedTuple):
    """
    What a connection was opened with.

    Attributes:
        origin: the session or the API key, or neither.
        password: what the account's password was stored as; "" where a new one changes nothing.
    """

    origin: Origin
    password: str = ""


def login_of(user: AbstractUser, origin: Origin) -> Login:
    """Return how a user comes with a session, a key, or a token that was made with neither."""
    return Login(origin, "" if origin.key is not None else user.password)


def mark_of(origin: Origin) -> str:
    """Return what controls know it by, which tells no secret; "" where nothing ends it alone."""
    if origin.key is not None:
        return f"key:{origin.key}"
    return digest_of(origin.session_key) if origin.session_key else ""


def holders_of(keys: Collection[int]) -> dict[int, User]:
    """Return by id of an API key whose it is, active or not; a key that was revoked is left out."""
    found = ApiKey.objects.filter(pk__in=keys, revoked_at=None).select_related("user")
    return {key.pk: key.user for key in found}


def sessions_among(keys: Collection[str]) -> set[str]:
    """
    Return those of the sessions that are there, in one statement.

    Whose they are, `users_of` says. Raw SQL, as in `active_among`: it is asked for each arrival.
    """
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_SESSIONS_POSTGRESQL, [now, list(keys)])
        else:
            cursor.execute(_SESSIONS_SQLITE, [now, msgspec.json.encode(list(keys)).decode()])
        return {row[0] for row in cursor.fetchall()}


def passwords_among(user_ids: Collection[int]) -> dict[int, str]:
    """Return what the passwords of those users are stored as who are there and active now."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_PASSWORDS_POSTGRESQL, [list(user_ids)])
        else:
            cursor.execute(_PASSWORDS_SQLITE, [msgspec.json.encode(list(user_ids)).decode()])
        return dict(cursor.fetchall())


def is_outdated(token: ConnectionToken, user: AbstractUser) -> bool:
    """Say whether a token of ours that was got with nothing is older than the user's password."""
    assert isinstance(user, User), "AUTH_USER_MODEL is our own"
    if token.origin != NO_ORIGIN or token.issued_at is None or user.tokens_after is None:
        return False
    return token.issued_at < user.tokens_after.timestamp()
