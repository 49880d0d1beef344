"""The database's clock, by which all gateways and readers judge; hosts' own differ."""

from __future__ import annotations

from django.db import connection

__all__ = ["ago"]


def ago(seconds: int) -> str:
    """Return SQL for the time so many seconds ago, for a statement with parameters."""
    if connection.vendor == "postgresql":
        return f"statement_timestamp() - interval '{seconds} seconds'"
    # As Django writes times on SQLite, where they are compared as texts.
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '-{seconds} seconds')"
