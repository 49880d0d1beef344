"""Which users may be signed in at this moment, asked of the database."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from django.db import connection

__all__ = ["active_among"]

_ACTIVE_POSTGRESQL = "SELECT id FROM accounts_user WHERE is_active AND id = ANY(%s)"
_ACTIVE_SQLITE = """
    SELECT id FROM accounts_user
    WHERE is_active AND id IN (SELECT value FROM json_each(%s))
"""


def active_among(user_ids: Collection[int]) -> set[int]:
    """
    Return those of the users who are active, in one statement.

    Raw SQL, because it is asked for each message of a client: the ORM takes 150 us to write this
    query, and 10 us are left without it.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_ACTIVE_POSTGRESQL, [list(user_ids)])
        else:
            cursor.execute(_ACTIVE_SQLITE, [msgspec.json.encode(list(user_ids)).decode()])
        return {row[0] for row in cursor.fetchall()}
