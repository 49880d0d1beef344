"""What is told of clients in a channel. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "AWAY_SECONDS",
    "EXPECTED_SECONDS",
    "LEASE_SECONDS",
    "SETTLE_SECONDS",
    "WRITTEN_SECONDS",
    "Attendance",
    "ClientInfo",
    "Condition",
    "Entry",
    "Gateway",
    "Standing",
    "Stats",
    "account_of",
]

# A lease that was not renewed for so long is dead, and with it what was written under it.
LEASE_SECONDS = 30
# Whoever is back within this time was never away.
AWAY_SECONDS = 10
# A gateway has written by then what happened there.
WRITTEN_SECONDS = 2
# How long the database knows somebody as expected: until it must have been told of their return.
EXPECTED_SECONDS = AWAY_SECONDS + WRITTEN_SECONDS
# When it is judged whether somebody has left: nobody is shown as expected anymore by then.
SETTLE_SECONDS = EXPECTED_SECONDS + WRITTEN_SECONDS

_CHANNEL_CHARACTERS = 255
_CLIENT_CHARACTERS = 36
_USER_CHARACTERS = 255
# What fits a bigint, written as a database would write it.
_ACCOUNT = re.compile(r"[1-9][0-9]{0,17}")


class ClientInfo(NamedTuple):
    """
    A client, as others in its channel see it.

    Attributes:
        client: the connection's id, new for each connection.
        user: the user's id; "" for an anonymous one.
        conn_info: what is told of the connection everywhere, as JSON text.
        chan_info: what is told of it in this channel, as JSON text.
    """

    client: str
    user: str
    conn_info: str | None = None
    chan_info: str | None = None


class Standing(enum.IntEnum):
    """Whether a client is in a channel."""

    HERE = 0
    # Left a moment ago; whoever comes back soon was never away.
    EXPECTED = 1
    GONE = 2


class Entry(NamedTuple):
    """
    A client in a channel.

    Attributes:
        channel: where.
        info: who.
        since: when it came, in seconds since 1970.
        standing: whether it is there.
    """

    channel: str
    info: ClientInfo
    since: float
    standing: Standing = Standing.HERE

    def check(self) -> None:
        """
        Refuse what a database would refuse, which would fail everybody's batch.

        Raises:
            ValueError: a text is too long, or holds what PostgreSQL cannot store.
        """
        info = self.info
        if len(self.channel) > _CHANNEL_CHARACTERS:
            raise ValueError("a channel has at most 255 characters")
        if not 0 < len(info.client) <= _CLIENT_CHARACTERS:
            raise ValueError("a client's id has 1 to 36 characters")
        if len(info.user) > _USER_CHARACTERS:
            raise ValueError("a user's id has at most 255 characters")
        for text in (self.channel, info.client, info.user, info.conn_info, info.chan_info):
            if text is not None and not text.isascii():
                # Half of a surrogate pair is refused by this.
                text.encode()
            if text is not None and "\0" in text:
                raise ValueError("PostgreSQL stores no NUL")


class Stats(NamedTuple):
    """How many clients are in a channel, and of how many users; all anonymous ones are one."""

    num_clients: int
    num_users: int


class Gateway(NamedTuple):
    """
    A running gateway process, with those of its clients that are shown somewhere.

    Attributes:
        incarnation: the process; another one with each start.
        name: the gateway's name.
        num_clients: how many connections.
        num_users: of how many users.
        num_subs: how many subscriptions they have together.
        num_channels: to how many channels.
    """

    incarnation: str
    name: str
    num_clients: int
    num_users: int
    num_subs: int
    num_channels: int


@dataclass(frozen=True, slots=True)
class Condition:
    """
    How a gateway fares.

    Attributes:
        version: what it runs.
        uptime: for how many seconds.
        cpu: how much of one processor it took since it last said so, in per cent.
        rss: how much memory it has, in bytes.
        interval: the seconds that `items` are of.
        items: how often something happened there; and how many connections, users and so on there
            were when it said so.
    """

    version: str
    uptime: int
    cpu: float
    rss: int
    interval: float
    items: Mapping[str, float]


class Attendance(NamedTuple):
    """
    The clients in a channel.

    Attributes:
        present: those who are there, by their ids.
        expected: those who left so lately that they may be back without anybody being told.
    """

    present: dict[str, ClientInfo]
    expected: list[ClientInfo]


def account_of(user: str) -> int | None:
    """Return the account's id that a user's id stands for; None where it cannot be one."""
    return int(user) if _ACCOUNT.fullmatch(user) else None
