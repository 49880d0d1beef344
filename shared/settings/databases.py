"""How Django uses the database that `DATABASE_URL` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.settings import env

__all__ = ["cause", "configured", "parameters"]

_SQLITE = {
    # Readers beside one writer; a transaction takes the write lock when it begins, so two of them
    # can never deadlock by upgrading.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
}
_POSTGRESQL = {
    "connect_timeout": 3,
    # A request waits for a stream's row at most this long; then it fails and can be repeated.
    # A transaction that is left open holds its locks no longer than ten.
    "options": (
        "-c lock_timeout=2000 -c statement_timeout=30000"
        " -c idle_in_transaction_session_timeout=10000"
    ),
    # A server that went away without a word is noticed in seconds, not in the kernel's hours.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def parameters(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what psycopg connects with where Django is not there, for PostgreSQL's entry."""
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST"}
    given = {name: entry[key] for name, key in (names | {"port": "PORT"}).items()}
    options = {key: value for key, value in entry.get("OPTIONS", {}).items() if key != "pool"}
    return {name: value for name, value in given.items() if value} | _POSTGRESQL | options


def cause(entry: Mapping[str, Any]) -> str | None:
    """
    Connect once, past any pool, and return why that fails; None if it does not.

    A pool that cannot connect says no more than that it had no connection in time.
    """
    if entry["ENGINE"] == "django.db.backends.sqlite3":
        return None
    # Not with the module, which every settings module imports.
    import psycopg

    try:
        psycopg.connect(**parameters(entry)).close()
    except psycopg.Error as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None


def configured(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return Django's database entry with the options that its engine needs."""
    if entry["ENGINE"] == "django.db.backends.sqlite3":
        return {**entry, "OPTIONS": dict(_SQLITE)}
    pool = {
        "min_size": 1,
        "max_size": env.integer("CARILLON_DATABASE_POOL_CONNECTIONS", 4, minimum=1),
        "timeout": 3,
        # A pool that failed for long waits longer and longer before it looks again, up to five
        # minutes; after so many seconds it starts over, and the next caller makes it look.
        "reconnect_timeout": 4,
    }
    return {
        **entry,
        # The pool keeps connections; Django gives one back after each request.
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**_POSTGRESQL, **entry.get("OPTIONS", {}), "pool": pool},
    }
