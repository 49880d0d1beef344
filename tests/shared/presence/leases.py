"""Leases of gateways that need not run."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from django.db.models.functions import Now

from shared.presence.actions import Turn, do_begin, do_write
from shared.presence.clients import ClientInfo, Entry, Standing
from shared.presence.models import Lease

__all__ = ["Writer", "age", "gone", "here", "left"]

_SINCE = 1_800_000_000.0


class Writer:
    """What a gateway process is to the database."""

    _started = count(1)

    def __init__(self, gateway: str = "g", *entries: Entry) -> None:
        self.incarnation = f"{gateway}-{next(self._started)}"
        self._number = 0
        assert do_begin(self.turn(), gateway, entries, is_new=True)

    def turn(self) -> Turn:
        self._number += 1
        return Turn(self.incarnation, self._number, self._number - 1)

    def write(self, *entries: Entry) -> bool:
        return do_write(self.turn(), entries)

    def age(self, seconds: float) -> None:
        """Have the lease been renewed so long ago."""
        age(self.incarnation, seconds)


def age(incarnation: str, seconds: float) -> None:
    """Have a lease been renewed so long ago."""
    Lease.objects.filter(pk=incarnation).update(beat=Now() - timedelta(seconds=seconds))


def here(channel: str, client: str, user: str | int = "", **info: str) -> Entry:
    return Entry(channel, ClientInfo(client, str(user), **info), _SINCE)


def left(channel: str, client: str, user: str | int = "", **info: str) -> Entry:
    return here(channel, client, user, **info)._replace(standing=Standing.EXPECTED)


def gone(channel: str, client: str, user: str | int = "") -> Entry:
    return here(channel, client, user)._replace(standing=Standing.GONE)
