"""
Logins: what somebody connects with, and whether it still counts.

A connection ends with the session or the API key that it was opened with, or that its token was
got with: `do_end_session` and `do_revoke_key` tell it to those that are there. For those that are
just being opened, and for tokens from before, it is asked here.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.utils import timezone

from shared.accounts.keys import digest_of
from shared.accounts.models import ApiKey, User
from shared.tokens.grants import NO_ORIGIN, ConnectionToken, Origin

__all__ = [
    "Account",
    "Ended",
    "Login",
    "accounts_among",
    "ended_among",
    "holders_of",
    "is_outdated",
    "login_of",
    "mark_of",
    "sessions_among",
]


_SESSIONS_POSTGRESQL = """
    SELECT session_key FROM django_session WHERE expire_date > %s AND session_key = ANY(%s)
"""
_SESSIONS_SQLITE = """
    SELECT session_key FROM django_session
    WHERE expire_date > %s AND session_key IN (SELECT value FROM json_each(%s))
"""
_ACCOUNTS_POSTGRESQL = """
    SELECT id, password, is_staff, is_superuser FROM accounts_user
    WHERE is_active AND id = ANY(%s)
"""
_ACCOUNTS_SQLITE = """
    SELECT id, password, is_staff, is_superuser FROM accounts_user
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


class Ended(enum.Enum):
    """What of a login has ended."""

    ORIGIN = enum.auto()
    PASSWORD = enum.auto()


class Account(NamedTuple):
    """
    What counts of an active account while somebody comes with it.

    Attributes:
        password: what its password is stored as.
        is_staff: Django's flag, which hooks ask.
        is_superuser: the other one.
    """

    password: str
    is_staff: bool
    is_superuser: bool

    def renew(self, user: AbstractUser) -> None:
        """Have a user object, which is older, say the same."""
        user.is_staff, user.is_superuser = self.is_staff, self.is_superuser


def login_of(user: AbstractUser, origin: Origin) -> Login:
    """Return how a user comes with a session, a key, or a token that was made with neither."""
    return Login(origin, "" if origin.key is not None else user.password)


def mark_of(origin: Origin) -> str:
    """Return what controls know it by, which tells no secret; "" where nothing ends it alone."""
    if origin.key is not None:
        return f"key:{origin.key}"
    return digest_of(origin.session_key) if origin.session_key else ""


def ended_among(
    comers: Sequence[tuple[int, Login]], accounts: Mapping[int, Account]
) -> list[Ended | None]:
    """
    Return for each login, in their order, what of it has ended; None for one that still counts.

    There is a statement for each kind of origin that is among them.

    Args:
        comers: users' ids, and what they have come with.
        accounts: theirs, as they are now.
    """
    origins = {login.origin for _, login in comers}
    sessions = {origin.session_key for origin in origins if origin.session_key}
    keys = {origin.key for origin in origins if origin.key is not None}
    lost = sessions - sessions_among(sessions) if sessions else set()
    revoked = keys - holders_of(keys).keys() if keys else set()
    return [
        Ended.ORIGIN
        if login.origin.session_key in lost or login.origin.key in revoked
        else Ended.PASSWORD
        if login.password and login.password != _password(accounts.get(user_id))
        else None
        for user_id, login in comers
    ]


def _password(account: Account | None) -> str | None:
    return None if account is None else account.password


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


def accounts_among(user_ids: Collection[int]) -> dict[int, Account]:
    """Return by id what counts of the accounts of those who are there and active now."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_ACCOUNTS_POSTGRESQL, [list(user_ids)])
        else:
            cursor.execute(_ACCOUNTS_SQLITE, [msgspec.json.encode(list(user_ids)).decode()])
        return {
            user_id: Account(password, bool(is_staff), bool(is_superuser))
            for user_id, password, is_staff, is_superuser in cursor.fetchall()
        }


def is_outdated(token: ConnectionToken, user: AbstractUser) -> bool:
    """Say whether a token of ours that was got with nothing is older than the user's password."""
    assert isinstance(user, User), "AUTH_USER_MODEL is our own"
    if token.origin != NO_ORIGIN or token.issued_at is None or user.tokens_after is None:
        return False
    return token.issued_at < user.tokens_after.timestamp()
