"""
Migrates, one pod after the other: those that wait find that there is nothing left to do.

The lock is the connection's, so it is let go of however this ends.
"""

from __future__ import annotations

import django
from django.core.management import call_command
from django.db import connection

# Any number that no one else in this database locks; this one says CARILLON in bytes.
LOCK = int.from_bytes(b"CARILLON", "big") % 2**62


def main() -> None:
    """Wait for the lock without a limit, then migrate on the connection that has it."""
    django.setup()
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 0")
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        # As services have them: all others would wait behind a migration that waits for a table.
        cursor.execute("RESET lock_timeout")
        cursor.execute("RESET statement_timeout")
    call_command("migrate", interactive=False, verbosity=1)


if __name__ == "__main__":
    main()
