"""The channels that one client of the Centrifuge protocol hears, as the hub has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from services.gateway.arrivals import Arrivals, Since
from services.gateway.catchup import CatchUp
from services.gateway.caughtup import CaughtUp
from services.gateway.hub import LiveChannel, OnLost
from services.gateway.repair import Repair
from services.gateway.transport.fanout import Member
from shared.presence.changes import PRESENCE
from shared.realtime.namespaces import namespace_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Channels"]


class Channels:
    """From the wish to hear a channel to leaving it; every step is safe at any point, and twice."""

    def __init__(self, repair: Repair, arrivals: Arrivals) -> None:
        self._repair = repair
        self._hub = repair.hub
        self._arrivals = arrivals
        self._coming: dict[str, CatchUp] = {}
        self._joined: dict[str, LiveChannel] = {}
        # Where it is told who comes and goes in those.
        self._changes: dict[str, LiveChannel] = {}

    async def prepare(
        self, user: AbstractUser, since: Since, granted: Collection[str] = ()
    ) -> None:
        """
        Check permission, hold the channels and read what was missed in them.

        All of them or none; `join` or `abandon` comes next for each.

        Args:
            user: who it is.
            since: the channels, and where the client stood in each.
            granted: those of them for which a token is the permission.

        Raises:
            NotSubscribed: the user may not hear one of the channels.
            DatabaseAway: the log cannot be read now.
        """
        coming = {
            channel: CatchUp(self._repair, self._arrivals, channel, position)
            for channel, position in since.items()
        }
        self._coming |= coming
        try:
            recoveries = await self._arrivals.recover(user, since, granted)
            for channel, each in coming.items():
                await each.meet(recoveries[channel])
        except BaseException:
            self.abandon(since)
            raise

    def is_coming(self, channel: str) -> bool:
        """Whether a channel was prepared, and nobody has left it since."""
        return channel in self._coming

    def result(self, channel: str) -> CaughtUp:
        """Return what to tell the client of a prepared channel; `join` it in the same step."""
        return self._coming[channel].result()

    def join(
        self, channel: str, member: Member, on_lost: OnLost, *, join_leave: bool = False
    ) -> None:
        """
        Be a member of a prepared channel's group.

        Args:
            channel: the channel.
            member: where its frames go.
            on_lost: called when the channel lost its place; it then calls `leave`.
            join_leave: whether to hear who comes and goes, where that is told.
        """
        coming = self._coming.pop(channel)
        self._hub.join(coming.live, member, on_lost)
        self._joined[channel] = coming.live
        coming.release()
        if join_leave and namespace_of(channel).join_leave:
            # Nothing is kept of these, so there is no place to be lost.
            changes = self._hub.open(f"{PRESENCE}:{channel}")
            self._hub.join(changes, member, _nothing)
            self._changes[channel] = changes

    def abandon(self, channels: Iterable[str]) -> None:
        """Let prepared channels go."""
        for channel in channels:
            if (coming := self._coming.pop(channel, None)) is not None:
                coming.release()

    def leave(self, channel: str, member: Member) -> None:
        """Hear a channel no longer."""
        self.abandon([channel])
        if (live := self._joined.pop(channel, None)) is not None:
            self._hub.leave(live, member)
        if (changes := self._changes.pop(channel, None)) is not None:
            self._hub.leave(changes, member)

    def leave_all(self, member: Member | None) -> None:
        """Hear nothing anymore."""
        self.abandon(tuple(self._coming))
        if member is not None:
            for channel in tuple(self._joined):
                self.leave(channel, member)


def _nothing() -> None:
    pass
