"""The clocks of a server: everything about its connections that is due at some time."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from services.gateway.transport.deadlines import Deadlines
from services.gateway.transport.http import HandshakeChannel
from services.gateway.transport.input import Pause
from services.gateway.transport.pings import PingClock
from services.gateway.transport.protocol import GatewayProtocol

__all__ = ["Clocks"]

_HANDSHAKE_SECONDS = 10.0
# For a client to take what was sent before its connection ends.
_PARTING_SECONDS = 2.0
# Into how many parts a time is divided, after each of which it is looked whether it is over.
_PARTS = 5


class Clocks:
    """
    One clock for each kind of thing, whatever the number of connections.

    Attributes:
        stall_seconds: how long bytes may wait for a peer that takes none.
        pause_seconds: how long an application may take nothing while its client has to wait.
    """

    def __init__(
        self,
        *,
        ping_seconds: float,
        pong_seconds: float,
        header_seconds: float,
        stall_seconds: float,
        pause_seconds: float,
    ) -> None:
        """Take the times, which `GatewayServer` explains."""
        self.stall_seconds = stall_seconds
        self.pause_seconds = pause_seconds
        self.pings = PingClock(ping_seconds)
        self.pongs: Deadlines[tuple[GatewayProtocol, int]] = Deadlines(
            pong_seconds, lambda due: due[0].judge_pong(due[1])
        )
        # Everybody goes through these: who is gone before must not be kept for them, which is
        # 100 MB where two thousand come and go in a second.
        self.arrivals: Deadlines[ref[HandshakeChannel]] = Deadlines(
            header_seconds, _if_there(HandshakeChannel.judge_arrival)
        )
        self.handshakes: Deadlines[ref[GatewayProtocol]] = Deadlines(
            _HANDSHAKE_SECONDS, _if_there(GatewayProtocol.give_up_handshake)
        )
        self.partings: Deadlines[ref[GatewayProtocol]] = Deadlines(
            _PARTING_SECONDS, _if_there(GatewayProtocol.part)
        )
        self.stalls: Deadlines[GatewayProtocol] = Deadlines(
            stall_seconds / _PARTS, GatewayProtocol.judge_stall
        )
        self.pauses: Deadlines[tuple[GatewayProtocol, Pause]] = Deadlines(
            pause_seconds / _PARTS, lambda due: due[0].judge_pause(due[1])
        )


def _if_there[T](act: Callable[[T], None]) -> Callable[[ref[T]], None]:
    def act_on(reference: ref[T]) -> None:
        if (thing := reference()) is not None:
            act(thing)

    return act_on
