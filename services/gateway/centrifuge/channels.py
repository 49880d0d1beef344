"""The channels that one client of the Centrifuge protocol hears, as the hub has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from services.gateway.arrivals import Arrivals, Since
from services.gateway.catchup import CatchUp
from services.gateway.caughtup import CaughtUp
from services.gateway.hub import LiveChannel, OnLost
from services.gateway.repair import Repair
from services.gateway.transport.fanout import Member
from shared.accounts.logins import Login
from shared.presence.changes import PRESENCE

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
        self,
        user: AbstractUser,
        since: Since,
        granted: Collection[str] = (),
        login: Login | None = None,
    ) -> None:
        """
        Check permission, hold the channels and read what was missed in them.

        All of them or none; `join` or `abandon` comes next for each.

        Args:
            user: who it is.
            since: the channels, and where the client stood in each; none that is heard already, or
                about to be.
            granted: those of them for which a token is the permission.
            login: what the user comes with, where it is to be asked whether that still counts.

        Raises:
            NotSubscribed: the user may not hear one of the channels.
            DatabaseAway: the log cannot be read now.
        """
        there = since.keys() & (self._coming.keys() | self._joined.keys())
        assert not there, "who would be told twice has to leave first"
        coming = {
            channel: CatchUp(self._repair, self._arrivals, channel, position)
            for channel, position in since.items()
        }
        self._coming |= coming
        try:
            recoveries = await self._arrivals.recover(user, since, granted, login)
            for channel, each in coming.items():
                await each.meet(recoveries[channel])
        except BaseException:
            self._release(coming)
            raise

    def keep(self, channels: Iterable[str], left: int) -> int:
        """
        Keep what was missed in prepared channels as far as it is no more than what is left.

        It counts characters, and returns what is left then.
        """
        for channel in channels:
            if (coming := self._coming.get(channel)) is None:
                continue
            if coming.size > left:
                coming.lose()
            left -= coming.size
        return left

    def is_joined(self, channel: str) -> bool:
        """Whether the client hears a channel by now."""
        return channel in self._joined

    @property
    def joined(self) -> tuple[str, ...]:
        """The channels that the client hears."""
        return tuple(self._joined)

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
            join_leave: whether to hear who comes and goes.
        """
        coming = self._coming.pop(channel)
        self._hub.join(coming.live, member, on_lost)
        self._joined[channel] = coming.live
        coming.release()
        if join_leave:
            # Nothing is kept of these, so there is no place to be lost.
            changes = self._hub.open(f"{PRESENCE}:{channel}")
            self._hub.join(changes, member, _nothing)
            self._changes[channel] = changes

    def abandon(self, channels: Iterable[str]) -> None:
        """Let prepared channels go."""
        self._release({name: self._coming[name] for name in channels if name in self._coming})

    def _release(self, coming: Mapping[str, CatchUp]) -> None:
        for channel, each in coming.items():
            # Not another's, which has come after this one was let go.
            if self._coming.get(channel) is each:
                del self._coming[channel]
                each.release()

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
