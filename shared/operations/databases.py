"""The database: whether it keeps what is acknowledged, and has room for all processes."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from shared.operations.looking import Looked
from shared.operations.processes import Processes
from shared.realtime.models import Deployment
from shared.settings import databases

__all__ = ["look", "look_at_postgresql"]

type Ask = Callable[[str], Sequence[Sequence[Any]]]

_STATEMENT_MILLISECONDS = 2_000
_OLDEST = 150_000
_PART = 0.8
_CLOCK_SECONDS = 2.0
_SNAPSHOT_SECONDS = 60
_LISTED = 5

_FACTS = """
    SELECT current_setting('server_version_num')::int,
           current_setting('server_version'),
           pg_is_in_recovery() OR current_setting('transaction_read_only')::bool,
           current_setting('synchronous_commit'),
           current_setting('fsync'),
           current_setting('max_connections')::int
               - current_setting('superuser_reserved_connections')::int
               - coalesce(current_setting('reserved_connections', true)::int, 0),
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"
_TIMELINE = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint"
# Of other roles' sessions only where this one has pg_read_all_stats.
_SNAPSHOT = """
    SELECT pid, coalesce(application_name, ''), extract(epoch FROM now() - xact_start)::int
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_xmin IS NOT NULL AND xact_start IS NOT NULL
      AND backend_type <> 'autovacuum worker'
    ORDER BY xact_start LIMIT 1
"""
_AWAY = (
    "See that it runs, that DATABASE_URL names its host, port, user, password and database, and "
    "that the network leads there; services wait for it."
)


def look(processes: Processes | None = None) -> Looked:
    """
    Look at the database that `DATABASE_URL` names.

    Args:
        processes: how many share it; counted and guessed where nobody says.
    """
    entry = connection.settings_dict
    if connection.vendor == "postgresql":
        seen = look_at_postgresql(entry, processes)
    else:
        seen = Looked({"name": str(entry["NAME"]), "version": f"SQLite {sqlite3.sqlite_version}"})
        _look_at_migrations(seen, _ask_django)
    # Where it is away or empty nobody can sign in either.
    if not {"carillon.E030", "carillon.E034"} & {finding.id for finding in seen.findings}:
        _look_for_demo_users(seen)
    return seen


def look_at_postgresql(entry: Mapping[str, Any], processes: Processes | None) -> Looked:
    """
    Look at a server, past Django's pool, which tells of a failure only that nothing came in time.

    Args:
        entry: of Django's settings.
        processes: as `look` takes them.
    """
    import psycopg

    given = databases.parameters(entry)
    given["options"] = f"{given['options']} -c statement_timeout={_STATEMENT_MILLISECONDS}"
    place = f"{given.get('host') or 'the socket'}:{given.get('port') or 5432}"
    seen = Looked({"place": place, "user": given.get("user"), "name": given["dbname"]})
    try:
        with psycopg.connect(**given, autocommit=True) as asking:
            _look_at_server(seen, lambda sql: asking.execute(sql).fetchall(), processes)
    except psycopg.Error as error:
        words = " ".join(str(error).split())
        seen.find("carillon.E030", f"PostgreSQL at {place}: {words}", _AWAY)
    return seen


def _look_at_server(seen: Looked, ask: Ask, processes: Processes | None) -> None:
    [[number, version, is_read_only, synchronous, fsync, room, used]] = ask(_FACTS)
    seen.facts |= {
        "version": f"PostgreSQL {version}",
        "connections": used,
        "connections_most": room,
    }
    if number < _OLDEST:
        seen.find(
            "carillon.E031", f"PostgreSQL is {version}", "Use 15 or newer; Django refuses older."
        )
    if is_read_only:
        seen.find(
            "carillon.E032",
            "The database takes no writes: it is a standby, or set to read only",
            "Let DATABASE_URL name the primary.",
        )
    for name, value in {"synchronous_commit": synchronous, "fsync": fsync}.items():
        if value == "off":
            seen.find(
                "carillon.E033",
                f"{name} is off: messages that were acknowledged can be lost in a crash",
                f"Set {name} = on, for the server or for this user.",
            )
    _look_at_clock(seen, ask)
    is_migrated = _look_at_migrations(seen, ask)
    if is_migrated and not is_read_only:
        _look_at_timeline(seen, ask)
    _look_at_snapshots(seen, ask)
    _look_at_pools(seen, room, processes or Processes.known(ask if is_migrated else None))


def _look_at_clock(seen: Looked, ask: Ask) -> None:
    before = time.time()
    [[theirs]] = ask(_CLOCK)
    after = time.time()
    ours = (before + after) / 2
    seen.facts["clock_seconds"] = round(theirs - ours, 3)
    if abs(theirs - ours) - (after - before) / 2 > _CLOCK_SECONDS:
        seen.find(
            "carillon.W040",
            f"The database's clock is {abs(theirs - ours):.1f} s "
            f"{'ahead of' if theirs > ours else 'behind'} this host's",
            "Let both follow NTP: tokens, sessions and the times of messages go by the hosts'.",
        )


def _look_at_migrations(seen: Looked, ask: Ask) -> bool:
    """Find migrations that were not applied; say whether there are none."""
    known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations or {}
    applied = set()
    with contextlib.suppress(Exception):
        # An empty database has not even this table.
        applied = {(app, name) for app, name in ask("SELECT app, name FROM django_migrations")}
    missing = sorted(".".join(each) for each in known.keys() - applied)
    if missing:
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        seen.find(
            "carillon.E034",
            f"{len(missing)} migrations were not applied: {', '.join(missing[:_LISTED])}{more}",
            "Run `manage.py migrate` with this version, before its services start.",
        )
    return not missing


def _look_at_timeline(seen: Looked, ask: Ask) -> None:
    [[timeline]] = ask(_TIMELINE)
    table = Deployment._meta.db_table
    rows = ask(f"SELECT incarnation, timeline FROM {table}")  # noqa: S608 - a name of ours
    seen.facts |= {"timeline": timeline, "incarnation": rows[0][0] if rows else None}
    if rows and rows[0][1] != timeline:
        seen.find(
            "carillon.W038",
            f"PostgreSQL is on timeline {timeline}, the log was written on {rows[0][1]}",
            "After a fail-over gateways and beat begin a new incarnation within 30 s by "
            "themselves; if they do not, run `manage.py realtime_restored`.",
        )


def _look_at_snapshots(seen: Looked, ask: Ask) -> None:
    for pid, name, seconds in ask(_SNAPSHOT):
        seen.facts["oldest_snapshot_seconds"] = seconds
        if seconds > _SNAPSHOT_SECONDS:
            seen.find(
                "carillon.W039",
                f"Process {pid} ({name or 'unnamed'}) has kept a snapshot for {seconds} s",
                "End it: until then no dead row can be removed, and hot tables grow. A dump "
                "belongs on a standby; see docs/backup.md.",
            )


def _look_at_pools(seen: Looked, room: int, processes: Processes) -> None:
    seen.facts["pools"] = processes.sum
    words = f"{processes} may open {processes.sum} connections, and {room} are allowed"
    remedy = (
        "Raise max_connections, lower CARILLON_DATABASE_POOL_CONNECTIONS or the number of "
        "processes; `--processes` says how many there are."
    )
    if processes.sum > room:
        seen.find("carillon.E036", words, remedy)
    elif processes.sum > _PART * room:
        seen.find("carillon.W037", words, remedy)


def _look_for_demo_users(seen: Looked) -> None:
    from shared.accounts.demo import demo_users_left

    if settings.CARILLON_DEMO:
        return
    try:
        left = demo_users_left()
    finally:
        # Of this thread alone, which ends.
        connection.close()
    if left:
        seen.find(
            "carillon.E035",
            f"The demo users {', '.join(left)} still have the demo password",
            "Change their passwords or delete them; no service starts before.",
        )


def _ask_django(sql: str) -> Sequence[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        return rows
