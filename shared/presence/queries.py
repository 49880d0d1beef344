"""
Reads of this app. Rows under a dead lease are never told of, whether or not they are there still.

A gateway knows its own clients better than the database, which lags a second behind it: it asks
for those of the others (`but`), and adds its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from shared.presence.clients import (
    EXPECTED_SECONDS,
    LEASE_SECONDS,
    Attendance,
    ClientInfo,
    Gateway,
    Stats,
)
from shared.presence.clock import ago
from shared.presence.models import Lease, PresentClient

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = [
    "accounts_online",
    "attendance_of",
    "channel_sizes",
    "crowded_channels",
    "each_member",
    "gateways",
    "members",
    "num_online_users",
    "online_users",
    "stats",
    "stats_of",
    "tallies_of",
    "users_in",
]

# Here at this moment; and, for `users_in`, whoever may be on the way back.
_PRESENT = "l.beat > {dead} AND p.left_at IS NULL"
_EXPECTED = "l.beat > {cold} AND (p.left_at IS NULL OR p.left_at > {unexpected})"

# Grouped twice: count(DISTINCT) would sort the users of a large channel.
_STATS = """
    SELECT channel, sum(clients), count(*) FROM (
        SELECT p.channel, p.user_id, count(*) AS clients
        FROM presence_presentclient p JOIN presence_lease l ON l.incarnation = p.lease_id
        WHERE {among} AND {present} GROUP BY p.channel, p.user_id
    ) AS users GROUP BY channel
"""
_CROWDED = """
    SELECT p.channel
    FROM presence_presentclient p JOIN presence_lease l ON l.incarnation = p.lease_id
    WHERE {present} GROUP BY p.channel HAVING count(*) > %s
"""
_USERS_IN = """
    SELECT w.channel, w.user_id FROM {wanted}
    WHERE EXISTS (
        SELECT 1 FROM presence_presentclient p JOIN presence_lease l ON l.incarnation = p.lease_id
        WHERE p.channel = w.channel AND p.user_id = w.user_id AND p.lease_id <> %s AND {expected}
    )
"""
_WANTED_POSTGRESQL = "unnest(%s::text[], %s::text[]) AS w(channel, user_id)"
_WANTED_SQLITE = """(
    SELECT json_extract(value, '$[0]') AS channel, json_extract(value, '$[1]') AS user_id
    FROM json_each(%s)
) AS w"""


def members(channel: str) -> dict[str, ClientInfo]:
    """Return the clients in a channel, by their ids."""
    return attendance_of([channel])[channel].present


def each_member(channel: str, most: int) -> Iterator[ClientInfo]:
    """Give the clients in a channel, one after the other; of more than `most` only so many."""
    rows = _present().filter(channel=channel)
    columns = "client", "user_id", "conn_info", "chan_info"
    # Few at once, because whoever asks may stop where much is told of each.
    for row in rows.values_list(*columns)[:most].iterator(chunk_size=200):
        yield ClientInfo(*row)


def attendance_of(channels: Collection[str], but: str = "") -> dict[str, Attendance]:
    """
    Return the clients in each of some channels, in one statement.

    Args:
        channels: which, at most some hundred.
        but: the incarnation of a process whose clients are left out.
    """
    found = {channel: Attendance({}, []) for channel in channels}
    lately = Q(left_at=None) | Q(left_at__gt=Now() - timedelta(seconds=EXPECTED_SECONDS))
    rows = _alive().filter(lately, channel__in=found).exclude(lease=but)
    columns = "channel", "left_at", "client", "user_id", "conn_info", "chan_info"
    for channel, left_at, *texts in rows.values_list(*columns).iterator(chunk_size=2_000):
        info = ClientInfo(*texts)
        if left_at is None:
            found[channel].present[info.client] = info
        else:
            found[channel].expected.append(info)
    return found


def stats(channel: str) -> Stats:
    """Return how many clients and users are in a channel."""
    return stats_of([channel])[channel]


def stats_of(channels: Collection[str]) -> dict[str, Stats]:
    """Return how many clients and users are in each of some channels, in one statement."""
    found = {channel: Stats(0, 0) for channel in channels}
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_sql(_STATS, among="p.channel = ANY(%s)"), [list(found)])
        else:
            among = "p.channel IN (SELECT value FROM json_each(%s))"
            cursor.execute(_sql(_STATS, among=among), [_json(list(found))])
        for channel, clients, users in cursor.fetchall():
            found[channel] = Stats(int(clients), users)
    return found


def tallies_of(channels: Collection[str], but: str) -> dict[str, dict[str, int]]:
    """Return how many clients each user has in each of some channels, without one process's."""
    found: dict[str, dict[str, int]] = {channel: {} for channel in channels}
    rows = _present().filter(channel__in=found).exclude(lease=but)
    counted = rows.values("channel", "user_id").annotate(clients=Count("*"))
    for channel, user, clients in counted.values_list("channel", "user_id", "clients"):
        found[channel][user] = clients
    return found


def users_in(pairs: Sequence[tuple[str, str]], but: str) -> set[tuple[str, str]]:
    """
    Return those (channel, user) where the user has a client in the channel, or may have one again.

    That is one that left, or whose gateway died, so lately that a gateway where the user came back
    need not have written it yet.

    Args:
        pairs: which, at most some thousand.
        but: the incarnation of a process whose clients are left out.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            columns = [channel for channel, _ in pairs], [user for _, user in pairs]
            cursor.execute(_sql(_USERS_IN, wanted=_WANTED_POSTGRESQL), [*columns, but])
        else:
            cursor.execute(_sql(_USERS_IN, wanted=_WANTED_SQLITE), [_json(pairs), but])
        return {(channel, user) for channel, user in cursor.fetchall()}


def crowded_channels(more_than: int) -> set[str]:
    """Return the channels with more than so many clients; reads the whole table."""
    with connection.cursor() as cursor:
        cursor.execute(_sql(_CROWDED), [more_than])
        return {row[0] for row in cursor.fetchall()}


def channel_sizes() -> dict[str, int]:
    """Return the channels where somebody is, and how many clients each has; for administrators."""
    counted = _present().values("channel").annotate(clients=Count("client"))
    return dict(counted.values_list("channel", "clients"))


def gateways() -> list[Gateway]:
    """Return the running gateways, in the order of their names; for administrators."""
    present = Q(clients__left_at=None, clients__client__isnull=False)
    living = Lease.objects.filter(beat__gt=Now() - timedelta(seconds=LEASE_SECONDS)).annotate(
        num_clients=Count("clients__client", distinct=True, filter=present),
        num_users=Count("clients__user_id", distinct=True, filter=present),
        num_subs=Count("clients__client", filter=present),
        num_channels=Count("clients__channel", distinct=True, filter=present),
    )
    columns = "num_clients", "num_users", "num_subs", "num_channels"
    rows = living.order_by("gateway", "incarnation").values_list("incarnation", "gateway", *columns)
    return [Gateway(*row) for row in rows]


def accounts_online(channel: str | None = None) -> QuerySet[PresentClient, Any]:
    """Return a subquery of the accounts of which somebody is here, or in one channel."""
    rows = _present().filter(account__isnull=False)
    if channel is not None:
        rows = rows.filter(channel=channel)
    return rows.values("account")


def online_users(channel: str | None = None) -> QuerySet[AbstractUser]:
    """Return the users of whom a client is here, or in one channel; each once."""
    return get_user_model()._default_manager.filter(pk__in=accounts_online(channel))


def num_online_users(channel: str | None = None) -> int:
    """Return how many accounts are here, or in one channel."""
    return accounts_online(channel).distinct().count()


def _present() -> QuerySet[PresentClient]:
    return _alive().filter(left_at=None)


def _alive() -> QuerySet[PresentClient]:
    alive_since = Now() - timedelta(seconds=LEASE_SECONDS)
    return PresentClient.objects.filter(lease__beat__gt=alive_since)


def _sql(statement: str, **parts: str) -> str:
    """Fill in which rows count, by the database's clock, and other parts."""
    times = {
        "dead": ago(LEASE_SECONDS),
        "cold": ago(LEASE_SECONDS + EXPECTED_SECONDS),
        "unexpected": ago(EXPECTED_SECONDS),
    }
    present, expected = _PRESENT.format(**times), _EXPECTED.format(**times)
    return statement.format(present=present, expected=expected, **parts)


def _json(values: Sequence[Any]) -> str:
    return msgspec.json.encode(values).decode()
