"""Who may do what to accounts. What a request or a connection says of its user may be old."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
from django.contrib.auth.models import AbstractUser
from django.db import connection

from shared.accounts.exceptions import InvalidKey, NotStaff, Protected
from shared.accounts.keys import Scope
from shared.accounts.models import User
from shared.realtime.namespaces import named, names
from shared.realtime.text import refuse_text

__all__ = [
    "access_staff",
    "active_among",
    "check_key",
    "check_moderation",
    "is_active",
    "is_active_staff",
    "namespaces_for_keys",
]

_KEY_NAME_CHARACTERS = 100

_ACTIVE_POSTGRESQL = "SELECT id FROM accounts_user WHERE is_active AND id = ANY(%s)"
_ACTIVE_SQLITE = """
    SELECT id FROM accounts_user
    WHERE is_active AND id IN (SELECT value FROM json_each(%s))
"""


def active_among(user_ids: Collection[int]) -> set[int]:
    """
    Return those of the users whose accounts are there and active at this moment, in one statement.

    Raw SQL, because it is asked for each message of a client: the ORM takes 150 us to write this
    query, and 10 us are left without it.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_ACTIVE_POSTGRESQL, [list(user_ids)])
        else:
            cursor.execute(_ACTIVE_SQLITE, [msgspec.json.encode(list(user_ids)).decode()])
        return {row[0] for row in cursor.fetchall()}


def is_active(user: AbstractUser) -> bool:
    """Say whether the account is there and active at this moment, asked of the database."""
    return user.pk is not None and bool(active_among([user.pk]))


def is_active_staff(user: AbstractUser) -> bool:
    """Say whether the user is active and staff at this moment, asked of the database."""
    return User.objects.filter(pk=user.pk, is_active=True, is_staff=True).exists()


def access_staff(actor: AbstractUser) -> User:
    """
    Return who acts as the database has them now.

    Raises:
        NotStaff: they are not active staff.
    """
    found = User.objects.filter(pk=actor.pk, is_active=True, is_staff=True).first()
    if found is None:
        raise NotStaff
    return found


def check_moderation(actor: User, user: User) -> None:
    """
    Refuse what would lock somebody out who must not be locked out by this actor.

    Raises:
        Protected: it is their own account, or a superuser's and they are none.
    """
    if actor.pk == user.pk:
        raise Protected("This is your own account: ask somebody else of the staff.")
    if user.is_superuser and not actor.is_superuser:
        raise Protected("This is a superuser's account: only a superuser may do this to it.")


def namespaces_for_keys() -> list[str]:
    """Return the names of those that keys can be made for; servers' own are there for nobody."""
    return [name for name in names() if named(name).for_clients]


def check_key(
    actor: AbstractUser,
    user: User,
    name: str,
    scopes: Iterable[str],
    namespaces: Iterable[str] = (),
) -> User:
    """
    Refuse an API key that may not be made; return the actor as the database has them now.

    Raises:
        NotStaff: the actor is not active staff.
        InvalidKey: name, user, scopes or namespaces cannot be taken.
    """
    staff = access_staff(actor)
    if words := refuse_text(name, maximum=_KEY_NAME_CHARACTERS):
        raise InvalidKey("name", words)
    wanted = set(scopes)
    if unknown := wanted - {scope.value for scope in Scope}:
        raise InvalidKey("scopes", f"There is no scope {min(unknown)!r:.40}: see the list.")
    if not wanted:
        raise InvalidKey("scopes", "Choose at least one scope.")
    if unknown := set(namespaces) - set(namespaces_for_keys()):
        raise InvalidKey("namespaces", f"There is no {min(unknown)!r:.40} for keys: see the list.")
    if not is_active(user):
        raise InvalidKey("user", "This account is not active: choose another user.")
    if user.is_superuser and not staff.is_superuser:
        raise InvalidKey("user", "Only a superuser makes keys that act as a superuser.")
    return staff
