"""What opening an inbox costs when the table is large: pages of the database that are looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection

from shared.accounts.models import User
from shared.notifications.queries import InboxView, inbox_page

__all__ = ["FULL_INBOX", "Cost", "cost_of_page", "fill"]

# Notifications of a user who has many.
FULL_INBOX = 10_000
_BATCH = 250_000
# One row in ten belongs to those who have many, the others to anybody; most are read, some are
# archived. Neighbours in the table belong to different users, as they do in real life.
_FILL = """
    INSERT INTO notifications_notification
        (user_id, kind, category, title, body, url, created, seen_at, read_at, archived_at)
    SELECT
        CASE WHEN n %% 10 = 0
            THEN (%(full)s::bigint[])[1 + n / 10 %% %(full_count)s]
            ELSE %(first)s + floor(random() * %(users)s)::bigint
        END,
        'posts.new_post', 'posts', 'somebody posted: a title of usual length ' || n,
        'The first words of what they wrote, as far as a notification shows them.',
        '/posts/' || n || '/', now(), now(),
        CASE WHEN random() < 0.9 THEN now() END, CASE WHEN random() < 0.05 THEN now() END
    FROM generate_series(%(start)s::bigint, %(end)s::bigint) AS n
"""


@dataclass(frozen=True)
class Cost:
    """
    What a page has cost.

    Attributes:
        buffers: 8 KiB pages looked at, in memory or read.
        milliseconds: the execution, as PostgreSQL timed it.
        rows: what it returned.
    """

    buffers: int
    milliseconds: float
    rows: int


def fill(
    database: psycopg.Connection,
    users: range,
    full: Sequence[int],
    count: int,
    progress: Callable[[int], None],
) -> None:
    """
    Add notifications until the table holds so many.

    Args:
        database: a connection without a limit on a statement's time.
        users: ids of all who get some.
        full: ids of those who get about `FULL_INBOX` each.
        count: rows the table shall have.
        progress: told how many there are, now and then.
    """
    row = database.execute("SELECT count(*) FROM notifications_notification").fetchone()
    assert row is not None
    have: int = row[0]
    values = {
        "full": list(full),
        "full_count": len(full),
        "first": users.start,
        "users": len(users),
    }
    while have < count:
        end = min(have + _BATCH, count)
        database.execute(_FILL, values | {"start": have + 1, "end": end})
        have = end
        progress(have)
    database.execute("VACUUM (ANALYZE) notifications_notification")


def cost_of_page(user: User, view: InboxView) -> Cost:
    """Open the first page of a user's inbox, and have PostgreSQL explain the very same queries."""
    asked: list[tuple[str, Any]] = []

    def remember(execute: Any, statement: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((statement, params))
        return execute(statement, params, many, context)

    with connection.execute_wrapper(remember):
        rows = inbox_page(user, view)
    buffers, milliseconds = 0, 0.0
    with connection.cursor() as cursor:
        for statement, params in asked:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", params)
            plan = cursor.fetchone()[0]
            (top,) = json.loads(plan) if isinstance(plan, str) else plan
            # A node's buffers include those of the nodes below it.
            buffers += top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"]
            milliseconds += top["Execution Time"]
    return Cost(buffers, milliseconds, len(rows))
