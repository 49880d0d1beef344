"""
How old the oldest snapshot of the database is.

While a transaction is open, PostgreSQL keeps every row that was replaced or deleted since. The row
of a busy stream is replaced with each publication: under a snapshot of minutes, as of a dump or of
a session that somebody left open, each of them has more dead rows to pass than the one before.
"""

from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError, connection

__all__ = ["oldest_age"]

logger = logging.getLogger(__name__)

# Of other roles' sessions PostgreSQL shows no times to a role without `pg_read_all_stats`; its own
# it always sees. VACUUM holds nothing back. A prepared transaction belongs to no session.
_OLDEST = """
SELECT coalesce(extract(epoch FROM max(clock_timestamp() - since)), 0)::float8
FROM (
    SELECT xact_start AS since FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
      AND backend_type <> 'autovacuum worker'
      AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
    UNION ALL
    SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()
) AS transactions
"""


def oldest_age() -> float:
    """
    Return the age of the oldest transaction that holds back dead rows, in seconds; 0 without one.

    0 where it cannot be asked now, and on SQLite, which keeps none.
    """
    if connection.vendor != "postgresql":
        return 0.0
    try:
        with connection.cursor() as cursor:
            cursor.execute(_OLDEST)
            age: float = cursor.fetchone()[0]
            return max(0.0, age)
    except (OperationalError, InterfaceError) as error:
        # The next round comes in seconds.
        logger.warning("Snapshots could not be looked at: %s", str(error).strip())
        return 0.0
