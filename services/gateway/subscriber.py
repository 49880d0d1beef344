"""A plain connection's channels: check, hold, read the log, greet, catch up, join."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway import plain
from services.gateway.arrivals import Arrivals, NotSubscribed, Since
from services.gateway.catchup import CatchUp
from services.gateway.caughtup import CaughtUp
from services.gateway.hub import LiveChannel
from services.gateway.repair import Repair
from services.gateway.transport.fanout import Member
from shared.accounts.logins import Login
from shared.realtime.exceptions import RealtimeError
from shared.realtime.namespaces import namespace_for_clients

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Subscriber"]


class Subscriber:
    """The channels of one connection."""

    def __init__(self, repair: Repair, arrivals: Arrivals) -> None:
        self._repair = repair
        self._hub = repair.hub
        self._arrivals = arrivals
        self._coming: list[CatchUp] = []
        self._joined: list[LiveChannel] = []

    @property
    def channels(self) -> set[str]:
        """What it hears, or is about to."""
        return {live.channel for live in self._joined} | {c.live.channel for c in self._coming}

    async def prepare(self, user: AbstractUser, since: Since, login: Login | None = None) -> None:
        """
        Check permission, hold the channels and read what was missed in them.

        Args:
            user: who it is.
            since: the channels, and where the client stood in each.
            login: what the user comes with, where it is to be asked whether that still counts.

        Raises:
            NotSubscribed: the user may not hear one of the channels, or the login has ended.
            DatabaseAway: the log cannot be read now.
        """
        for channel in since:
            try:
                namespace_for_clients(channel)
            except RealtimeError as error:
                # Now, before the hub keeps anything of it: its namespace becomes a metric's label.
                raise NotSubscribed(channel) from error
        for channel, position in since.items():
            self._coming.append(CatchUp(self._repair, self._arrivals, channel, position))
        recoveries = await self._arrivals.recover(user, since, (), login)
        # A copy: the connection may be given up meanwhile.
        for each in tuple(self._coming):
            await each.meet(recoveries[each.live.channel])

    def complete(self, connection: Member) -> None:
        """
        Greet, give each channel's catch-up or its reset, and join; all in one step of the loop.

        From then on the connection gets everything, in order.
        """
        caught_up = [(each.live, each.result()) for each in self._coming]
        greeting = plain.established({live.channel: each.position for live, each in caught_up})
        frames = [frame for live, each in caught_up for frame in _frames(live, each)]
        connection.send_catch_up([greeting, *frames])
        for live, _ in caught_up:
            self._hub.join(live, connection)
            self._joined.append(live)
        # What was missed may be half a megabyte, and connections last for hours.
        self._let_go()

    def leave(self, connection: Member | None) -> None:
        """Take the connection out of all its channels; safe at any point, and twice."""
        self._let_go()
        if connection is not None:
            while self._joined:
                self._hub.leave(self._joined.pop(), connection)

    def _let_go(self) -> None:
        while self._coming:
            self._coming.pop().release()


def _frames(live: LiveChannel, caught_up: CaughtUp) -> list[str]:
    if caught_up.is_lost:
        return [plain.reset(live.channel, caught_up.position)]
    return caught_up.missed.texts(plain.publication)
