"""
A plain connection's subscriptions: check, hold, read the log, greet, catch up, join.

The last three happen without yielding to the event loop, so that nothing is missing or double
between what the log gave and what the group gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.gateway import plain
from services.gateway.arrivals import Arrivals, NotSubscribed, Since
from services.gateway.hub import Hold, LiveChannel, Verdict
from services.gateway.repair import Repair
from services.gateway.transport.fanout import Member
from shared.realtime.exceptions import RealtimeError
from shared.realtime.history import Recovery, recover
from shared.realtime.namespaces import namespace_of
from shared.realtime.positions import Position
from shared.telemetry import metrics

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Subscriber"]

# Reads until a catch-up that does not come together is given up.
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class _CatchUp:
    position: Position
    frames: list[str]


class Subscriber:
    """The channels of one connection."""

    def __init__(self, repair: Repair, arrivals: Arrivals) -> None:
        self._repair = repair
        self._hub = repair.hub
        self._arrivals = arrivals
        self._since: Since = {}
        self._held: list[tuple[LiveChannel, Hold]] = []
        self._recoveries: dict[str, Recovery] = {}
        self._joined: list[LiveChannel] = []

    async def prepare(self, user: AbstractUser, since: Since) -> None:
        """
        Check permission, hold the channels and read what was missed in them.

        Raises:
            NotSubscribed: the user may not hear one of the channels.
            DatabaseAway: the log cannot be read now.
        """
        for channel in since:
            try:
                namespace_of(channel)
            except RealtimeError as error:
                # Now, before the hub keeps anything of it: its namespace becomes a metric's label.
                raise NotSubscribed(channel) from error
        self._since = since
        for channel in since:
            live = self._hub.open(channel)
            self._held.append((live, live.hold()))
        self._recoveries = await self._arrivals.recover(user, since)
        for live, hold in self._held:
            await self._meet(live, hold)

    async def _meet(self, live: LiveChannel, hold: Hold) -> None:
        """
        Bring what was read, what is held and what the group has to where they overlap.

        That takes a round or two. Where it does not come to an end, as while the database is being
        restored, the hold counts as broken, and the connection is told to read history.
        """
        for _ in range(_ROUNDS):
            recovery = self._recoveries[live.channel]
            if live.position is None and not live.start(recovery.stream_id, recovery.head):
                self._repair.on_gap(live, Verdict.EARLY)
            if hold.broken:
                return
            if _before(recovery.head, hold.complete_from):
                # Another connection has set the channel out from a later read than ours.
                since = self._since[live.channel]
                self._recoveries[live.channel] = await self._arrivals.database.run(
                    recover, live.channel, since
                )
            elif _before(live.position, recovery.head):
                # The group lags behind what this connection has seen.
                await self._repair.level(live)
            else:
                return
        hold.broken = True

    def complete(self, connection: Member) -> None:
        """
        Greet, give each channel's catch-up or its reset, and join; all in one step of the loop.

        From then on the connection gets everything, in order.
        """
        caught_up = [
            (live, _catch_up(live, hold, self._since[live.channel], self._recoveries[live.channel]))
            for live, hold in self._held
        ]
        greeting = plain.established({live.channel: each.position for live, each in caught_up})
        connection.send_catch_up(
            [greeting, *(frame for _, each in caught_up for frame in each.frames)]
        )
        for live, _ in caught_up:
            self._hub.join(live, connection)
            self._joined.append(live)
        self._let_go()
        # What was missed may be half a megabyte, and connections last for hours.
        self._since, self._recoveries = {}, {}

    def leave(self, connection: Member | None) -> None:
        """Take the connection out of all its channels; safe at any point, and twice."""
        self._let_go()
        if connection is not None:
            while self._joined:
                self._hub.leave(self._joined.pop(), connection)

    def _let_go(self) -> None:
        while self._held:
            live, hold = self._held.pop()
            live.release(hold)
            self._hub.close_idle(live)


def _before(position: Position | None, other: Position | None) -> bool:
    """Say whether a position is earlier in the same numbering."""
    return (
        position is not None
        and other is not None
        and position.epoch == other.epoch
        and position.offset < other.offset
    )


def _catch_up(
    live: LiveChannel, hold: Hold, since: Position | None, recovery: Recovery
) -> _CatchUp:
    position = live.position
    assert position is not None, "a channel that was read stands somewhere"
    if since is None:
        return _CatchUp(position, [])
    if not recovery.recovered or hold.broken or position.epoch != recovery.head.epoch:
        return _lost(live, position)
    missed = [
        *recovery.publications,
        *(p for p in hold.publications if p.offset > recovery.head.offset),
    ]
    # What was read and what was held must meet; better an honest reset than a silent hole.
    if [p.offset for p in missed] != list(range(since.offset + 1, position.offset + 1)):
        return _lost(live, position)
    metrics.RECOVERIES.labels(result="recovered" if missed else "empty").inc()
    metrics.RECOVERED_MESSAGES.observe(len(missed))
    return _CatchUp(since, [plain.publication(each) for each in missed])


def _lost(live: LiveChannel, position: Position) -> _CatchUp:
    metrics.RECOVERIES.labels(result="gap").inc()
    return _CatchUp(position, [plain.reset(live.channel, position)])
