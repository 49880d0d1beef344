"""Users by the hundred thousand, and sessions for some: made as sets, in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module

import psycopg
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import get_random_string
from psycopg import sql

from shared.accounts.models import User

__all__ = ["add_users", "sign_in", "spread"]

BACKEND = "django.contrib.auth.backends.ModelBackend"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def add_users(database: psycopg.Connection, count: int) -> range:
    """Add users that nobody can sign in as; return their ids, which follow each other."""
    template = User.objects.create_user("reader-0")
    fields = [one for one in User._meta.local_fields if not one.primary_key]
    others = [sql.Identifier(str(one.column)) for one in fields if one.name != "username"]
    with database.transaction():
        database.execute(
            sql.SQL(
                "INSERT INTO accounts_user (username, {columns})"
                " SELECT 'reader-' || n, {columns}"
                " FROM accounts_user, generate_series(1, %s) AS n WHERE id = %s ORDER BY n"
            ).format(columns=sql.SQL(", ").join(others)),
            [count - 1, template.pk],
        )
    database.execute("VACUUM (ANALYZE) accounts_user")
    row = database.execute(
        "SELECT min(id), max(id), count(*) FROM accounts_user WHERE id >= %s", [template.pk]
    ).fetchone()
    assert row is not None
    first, last, found = row
    assert found == count == last - first + 1, "ids of one statement follow each other"
    return range(first, last + 1)


def spread(ids: Sequence[int], count: int) -> list[int]:
    """Choose so many of the ids, evenly."""
    return [ids[number * len(ids) // count] for number in range(count)]


def sign_in(user_ids: Sequence[int]) -> list[str]:
    """Make a session for each user; return their Cookie headers."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    expires = timezone.now() + timedelta(days=1)
    sessions = []
    for user in User.objects.filter(pk__in=user_ids).order_by("pk"):
        known = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: BACKEND,
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
        sessions.append(
            Session(
                session_key=get_random_string(32, LETTERS),
                session_data=store.encode(known),
                expire_date=expires,
            )
        )
    Session.objects.bulk_create(sessions, batch_size=1_000)
    return [f"{settings.SESSION_COOKIE_NAME}={session.session_key}" for session in sessions]
