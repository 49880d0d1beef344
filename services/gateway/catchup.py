"""
Catch-ups: how a connection gets from where it stood in a channel to where the channel's group is.

Hold the channel, read the log, bring both to where they overlap, take what was missed and join.
The last two happen in one step of the event loop, so that nothing is missing or double between
what the log gave and what the group gives.
"""

from __future__ import annotations

from services.gateway.arrivals import Arrivals
from services.gateway.caughtup import CaughtUp
from services.gateway.hub import LiveChannel, Verdict
from services.gateway.repair import Repair
from shared.realtime.history import Recovery, recover
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
            if _before(recovery.head, hold.complete_from):
                # Another connection has set the channel out from a later read than ours.
                self._recovery = await self._arrivals.database.run(
                    recover, live.channel, self._since
                )
            elif _before(live.position, recovery.head):
                # The group lags behind what this connection has seen.
                await self._repair.level(live)
            else:
                return
        hold.broken = True

    def result(self) -> CaughtUp:
        """Return what to tell the connection, which joins the group in the same step."""
        recovery, position, since = self._recovery, self.live.position, self._since
        assert recovery is not None, "what was not read cannot be told"
        assert position is not None, "a channel that was read stands somewhere"
        if since is None:
            return CaughtUp(position)
        if recovery.recovered and not self._hold.broken and position.epoch == recovery.head.epoch:
            missed = [
                *recovery.publications,
                *(p for p in self._hold.publications if p.offset > recovery.head.offset),
            ]
            # What was read and what was held must meet; better an honest loss than a silent hole.
            if [p.offset for p in missed] == list(range(since.offset + 1, position.offset + 1)):
                metrics.RECOVERIES.labels(result="recovered" if missed else "empty").inc()
                metrics.RECOVERED_MESSAGES.observe(len(missed))
                return CaughtUp(Position(position.epoch, since.offset), missed)
        metrics.RECOVERIES.labels(result="gap").inc()
        return CaughtUp(position, is_lost=True)

    def release(self) -> None:
        """Let the channel go; its group keeps whoever has joined."""
        self.live.release(self._hold)
        self._repair.hub.close_idle(self.live)


def _before(position: Position | None, other: Position | None) -> bool:
    """Say whether a position is earlier in the same numbering."""
    return (
        position is not None
        and other is not None
        and position.epoch == other.epoch
        and position.offset < other.offset
    )
