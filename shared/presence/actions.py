"""
Writes of this app, for gateways alone: by sets, so that a second's changes are one statement.

Every transaction begins with its lease's row, and holds it: a gateway's writes come one after the
other, and none of them lands while somebody deletes that gateway's rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from django.db import connection, transaction

from shared.presence.clients import (
    EXPECTED_SECONDS,
    LEASE_SECONDS,
    ClientInfo,
    Entry,
    account_of,
)
from shared.presence.clock import ago

__all__ = ["Turn", "do_begin", "do_end", "do_sweep", "do_write"]

# Of clients that left: longer than a dead gateway's rows stay, for whoever sweeps these must know.
_FORGET_SECONDS = 60

_TAKE = """
    INSERT INTO presence_lease (incarnation, gateway, beat, turn) VALUES (%s, %s, {now}, %s)
    ON CONFLICT (incarnation) DO UPDATE SET beat = excluded.beat, turn = excluded.turn
    WHERE presence_lease.turn < excluded.turn
    RETURNING incarnation
"""
_RENEW = """
    UPDATE presence_lease SET beat = {then}, turn = %s
    WHERE incarnation = %s AND turn BETWEEN %s AND %s - 1
    RETURNING incarnation
"""
# One that is alive all the same comes back with its next write.
_END_PREDECESSORS = """
    UPDATE presence_lease SET beat = {dead}
    WHERE gateway = %s AND incarnation <> %s AND beat > {dead}
"""
_CLEAR = "DELETE FROM presence_presentclient WHERE lease_id = %s"
# What is locked at this moment is left to whoever holds it.
_SWEEP_LEASES = """
    DELETE FROM presence_lease WHERE incarnation IN (
        SELECT incarnation FROM presence_lease WHERE beat <= {cold} {skip_locked}
    )
    RETURNING incarnation
"""
_SWEEP_CLIENTS = f"{_CLEAR} RETURNING channel, client, user_id, conn_info, chan_info"
_FORGET_LEFT = """
    DELETE FROM presence_presentclient WHERE (channel, client) IN (
        SELECT channel, client FROM presence_presentclient
        WHERE left_at <= {forgotten} {skip_locked}
    )
"""

_COLUMNS = "channel, client, user_id, account, conn_info, chan_info, since, left_at, lease_id"
_REPLACE = """
    ON CONFLICT (channel, client) DO UPDATE SET user_id = excluded.user_id,
        account = excluded.account, conn_info = excluded.conn_info,
        chan_info = excluded.chan_info, since = excluded.since, left_at = excluded.left_at,
        lease_id = excluded.lease_id
"""
_STORE_POSTGRESQL = f"""
    INSERT INTO presence_presentclient ({_COLUMNS})
    SELECT channel, client, user_id, account, conn_info, chan_info, to_timestamp(since),
        CASE standing WHEN 1 THEN {{now}} WHEN 2 THEN {{unexpected}} END, %s
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[],
        %s::float8[], %s::int[])
        AS w(channel, client, user_id, account, conn_info, chan_info, since, standing)
    {_REPLACE}
"""  # noqa: S608 - constants of this module
# "WHERE true", because SQLite would take the conflict clause for a join's condition.
_STORE_SQLITE = f"""
    INSERT INTO presence_presentclient ({_COLUMNS})
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
        json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
        strftime('%%Y-%%m-%%d %%H:%%M:%%f', json_extract(value, '$[6]'), 'unixepoch'),
        CASE json_extract(value, '$[7]') WHEN 1 THEN {{now}} WHEN 2 THEN {{unexpected}} END, %s
    FROM json_each(%s) WHERE true
    {_REPLACE}
"""  # noqa: S608 - as above


class Turn(NamedTuple):
    """
    Which write of which process this is.

    Attributes:
        incarnation: the process.
        number: counts its writes. One that was given up and runs late takes no effect after
            another with a higher number.
        done: the last number that is known to have taken effect. A database that knows only of
            lower ones went back in time, and what it has of the process is worth nothing.
    """

    incarnation: str
    number: int
    done: int


def do_begin(turn: Turn, gateway: str, entries: Sequence[Entry], *, is_new: bool) -> bool:
    """
    Take or take back a process's lease, and have these clients under it and no others.

    Args:
        turn: the process and its write.
        gateway: the gateway's name.
        entries: the clients.
        is_new: the process has just started; the one of its name before it has ended.

    Returns:
        False when a later turn was taken: nothing was written.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_sql(_TAKE), [turn.incarnation, gateway, turn.number])
        if cursor.fetchone() is None:
            return False
        cursor.execute(_CLEAR, [turn.incarnation])
        if is_new:
            cursor.execute(_sql(_END_PREDECESSORS), [gateway, turn.incarnation])
        _store(turn.incarnation, entries)
    return True


def do_write(turn: Turn, entries: Sequence[Entry]) -> bool:
    """
    Renew the lease, and write what has changed; with nothing, only renew it.

    Args:
        turn: the process and its write.
        entries: clients that came or left, or of whom something else is told now.

    Returns:
        False when the lease is gone, or a later turn was taken: nothing was written.
    """
    return _write(turn, entries, "{now}")


def do_end(turn: Turn, unsettled: Sequence[Entry]) -> None:
    """
    Give the lease up: from now on nobody is told of what was written under it.

    Args:
        turn: the process and its last write.
        unsettled: clients that are gone and of whose going nobody was told. They are left with
            the others' rows for the gateway that sweeps these.
    """
    _write(turn, unsettled, "{dead}")


def do_sweep() -> list[tuple[str, ClientInfo]]:
    """
    Delete what counts for nothing anymore.

    Returns:
        (channel, client) of gateways whose leases have been dead for so long that whoever was
        there had time to come back elsewhere.
    """
    swept: list[tuple[str, ClientInfo]] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_sql(_SWEEP_LEASES), [])
        # A statement for each: it sees what was committed until the lease was locked.
        for (lease,) in cursor.fetchall():
            cursor.execute(_SWEEP_CLIENTS, [lease])
            swept.extend((row[0], ClientInfo(*row[1:])) for row in cursor.fetchall())
    with connection.cursor() as cursor:
        cursor.execute(_sql(_FORGET_LEFT), [])
    return swept


def _write(turn: Turn, entries: Sequence[Entry], beat: str) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        values: list[int | str] = [turn.number, turn.incarnation, turn.done, turn.number]
        cursor.execute(_sql(_RENEW.replace("{then}", beat)), values)
        if cursor.fetchone() is None:
            return False
        _store(turn.incarnation, entries)
    return True


def _store(lease: str, entries: Sequence[Entry]) -> None:
    rows = [
        (channel, *info[:2], account_of(info.user), *info[2:], since, int(standing))
        for channel, info, since, standing in entries
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            columns = [list(column) for column in zip(*rows, strict=True)]
            cursor.execute(_sql(_STORE_POSTGRESQL), [lease, *columns])
        else:
            cursor.execute(_sql(_STORE_SQLITE), [lease, msgspec.json.encode(rows).decode()])


def _sql(statement: str) -> str:
    """Fill in times, by the database's clock, and what only PostgreSQL has."""
    is_postgresql = connection.vendor == "postgresql"
    return statement.format(
        now=ago(0),
        dead=ago(LEASE_SECONDS),
        cold=ago(LEASE_SECONDS + EXPECTED_SECONDS),
        unexpected=ago(EXPECTED_SECONDS),
        forgotten=ago(_FORGET_SECONDS),
        skip_locked="FOR UPDATE SKIP LOCKED" if is_postgresql else "",
    )
