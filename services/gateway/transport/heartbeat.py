"""A connection's heartbeat: pings, and what happens when no pong comes."""

from __future__ import annotations

import os
import time

from daphne.ws_protocol import WebSocketProtocol

from services.gateway.closecodes import CloseCode
from shared.telemetry import metrics

__all__ = ["Heartbeat"]


class Heartbeat(WebSocketProtocol):
    """The part of a connection that finds out whether its peer is there."""

    # The payload of a ping without an answer, and when it was sent, by time.monotonic().
    _pinged: bytes | None = None
    _pinged_at = 0.0
    _ping_number = 0
    # What a client is sent instead of a ping frame, where its protocol has a ping of its own, and
    # the message with which it answers. That is heard as it arrives; where it comes together with
    # others in a frame, whoever reads those tells of it with `take_pong`.
    ping_message: bytes | None = None
    pong_message: bytes | None = None

    def ping(self) -> None:
        """Send a ping, unless one is out."""
        if self.state != self.STATE_OPEN or self._pinged is not None:
            return
        self._ping_number += 1
        # Nothing that a client could answer without having read it.
        self._pinged = os.urandom(4)
        self._pinged_at = time.monotonic()
        if self.ping_message is None:
            self.sendPing(self._pinged)
        else:
            self.sendData(self.ping_message)
        self.server.clocks.pongs.add((self, self._ping_number))

    def onPong(self, payload: bytes) -> None:
        if self._pinged == payload:
            self._pinged = None
            metrics.PING_RTT.observe(time.monotonic() - self._pinged_at)

    def take_pong(self) -> bool:
        """Be told of an answer to `ping_message`; return whether there was a ping to answer."""
        if self._pinged is None:
            return False
        self.onPong(self._pinged)
        return True

    def sendPong(self, payload: bytes | None = None) -> None:
        # Off the fast path nothing else bounds what a client has sent that asks and does not read.
        if self.is_fast or self.full_since is None:
            super().sendPong(payload)

    def judge_pong(self, number: int) -> None:
        """Close where a ping has had no answer for too long."""
        if self._pinged is None or number != self._ping_number:
            return
        if self.is_reading_paused:
            # Its pong may be in the socket, behind what the application has not taken.
            self.server.clocks.pongs.add((self, number))
        elif self.state == self.STATE_OPEN and self.is_stuck:
            # It does not answer because it does not read; the ping may still wait here.
            self.give_up()
        else:
            self.shut(CloseCode.NO_PONG, CloseCode.NO_PONG.reason)
