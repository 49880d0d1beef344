"""
Catch-ups: how a connection gets from where it stood in a channel to where the channel's group is.

Hold the channel, read the log, bring both to where they overlap, take what was missed and join.
The last two happen in one step of the event loop, so that nothing is missing or double between
what the log gave and what the group gives.
"""

from __future__ import annotations

from dataclasses import replace

from services.gateway.arrivals import Arrivals
from services.gateway.caughtup import CaughtUp
from services.gateway.hub import LiveChannel, Verdict
from services.gateway.recoveries import Recovery
from services.gateway.repair import Repair, is_before
from shared.realtime.positions import Position
from shared.telemetry import metrics

__all__ = ["CatchUp"]

# Reads until a catch-up that does not come together is given up.
_ROUNDS = 5


class CatchUp:
    """One connection's way into one channel; `release` it whatever comes of it."""

    def __init__(
        self, repair: Repair, arrivals: Arrivals, channel: str, since: Position | None
    ) -> None:
        """
        Hold the channel from now on.

        Args:
            repair: with the hub.
            arrivals: where the log is read.
            channel: of a namespace that exists.
            since: where the client stood; None for "from now on".
        """
        self._repair = repair
        self._arrivals = arrivals
        self._since = since
        self.live: LiveChannel = repair.hub.open(channel)
        self._hold = self.live.hold()
        self._recovery: Recovery | None = None

    async def meet(self, recovery: Recovery) -> None:
        """
        Bring what was read, what is held and what the group has to where they overlap.

        That takes a round or two. Where it does not come to an end, as while the database is being
        restored, the hold counts as broken, and what was missed as lost.

        Raises:
            DatabaseAway: the log cannot be read now.
        """
        self._recovery = recovery
        live, hold = self.live, self._hold
        for _ in range(_ROUNDS):
            recovery = self._recovery
            if live.position is None and not live.start(recovery.stream_id, recovery.head):
                self._repair.on_gap(live, Verdict.EARLY)
            if hold.broken:
                return
            if is_before(recovery.head, hold.complete_from):
                # Another connection has set the channel out from a later read than ours.
                self._recovery = await self._arrivals.recoveries.again(live.channel, self._since)
            elif is_before(live.position, recovery.head):
                # The group lags behind what this connection has seen.
                await self._repair.level(live, recovery.head)
            else:
                return
        hold.broken = True

    @property
    def size(self) -> int:
        """How much of what was missed was read, in characters."""
        missed = None if self._recovery is None else self._recovery.missed
        return 0 if missed is None else missed.size

    def lose(self) -> None:
        """Let go of what was missed: the connection is told that it is lost."""
        self._hold.broken = True
        if self._recovery is not None:
            self._recovery = replace(self._recovery, missed=None)

    def result(self) -> CaughtUp:
        """Return what to tell the connection, which joins the group in the same step."""
        recovery, position, since = self._recovery, self.live.position, self._since
        assert recovery is not None, "what was not read cannot be told"
        assert position is not None, "a channel that was read stands somewhere"
        if since is None:
            return CaughtUp(position)
        missed, last = recovery.missed, recovery.head.offset
        if missed is not None and not self._hold.broken and position.epoch == recovery.head.epoch:
            held = [each for each in self._hold.publications if each.offset > last]
            # What was read and what was held must meet; better an honest loss than a silent hole.
            if [last, *(each.offset for each in held)] == list(range(last, position.offset + 1)):
                missed = missed.followed_by(held)
                metrics.RECOVERIES.labels(result="recovered" if missed else "empty").inc()
                metrics.RECOVERED_MESSAGES.observe(len(missed))
                return CaughtUp(Position(position.epoch, since.offset), missed)
        metrics.RECOVERIES.labels(result="gap").inc()
        return CaughtUp(position, is_lost=True)

    def release(self) -> None:
        """Let the channel go; its group keeps whoever has joined."""
        self.live.release(self._hold)
        self._repair.hub.close_idle(self.live)
