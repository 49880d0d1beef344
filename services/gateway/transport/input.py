"""A connection's input: what its client sends, read only as fast as its application takes it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from daphne.ws_protocol import WebSocketProtocol

from shared.telemetry import metrics

__all__ = ["Input", "Pause"]

# As for an application that has failed: the client is to come back.
_INTERNAL_ERROR = 1011
_REASON = "the application hangs"
# Steps of autobahn's parser after our close frame, of which a small message takes two: the client's
# own one is among the first, or is not awaited.
_STEPS_AFTER_CLOSE = 64


@dataclass(slots=True)
class Pause:
    """
    A time in which nothing is read.

    Attributes:
        waiting: how many messages the application had not taken, when that last changed.
        since: when that was, by time.monotonic().
    """

    waiting: int
    since: float


class Input(WebSocketProtocol):
    """The part of a connection that reads."""

    _pause: Pause | None = None
    _steps_after_close = 0

    @property
    def is_reading_paused(self) -> bool:
        """Whether what the client sends is left in the socket."""
        return self._pause is not None

    def processData(self) -> bool:
        # One read may hold thousands of frames: the rest waits here until there is room.
        if self._pause is not None and self.state == self.STATE_OPEN:
            return False
        if self.state == self.STATE_CLOSING:
            self._steps_after_close += 1
            if self._steps_after_close > _STEPS_AFTER_CLOSE:
                # A flooder's frames, which would be parsed by the thousand to be dropped.
                self.data = b""
                self.transport.pauseProducing()
                return False
        return bool(super().processData())

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state != self.STATE_OPEN:
            # Sent before our close frame arrived; nothing bounds how much of it there is.
            return
        metrics.RECEIVED_BYTES.inc(len(payload))
        # At once, not when all that was sent before it is done, which may take long.
        if not isBinary and payload == self.pong_message and self.take_pong():
            return
        key, data = ("bytes", payload) if isBinary else ("text", payload.decode())
        self.application_queue.put_nowait({"type": "websocket.receive", key: data})

    def pause_reading(self) -> None:
        """Leave what the client sends in the socket."""
        self._pause = pause = Pause(self.application_queue.waiting, time.monotonic())
        self.server.clocks.pauses.add((self, pause))
        self.transport.pauseProducing()

    def resume_reading(self) -> None:
        """Go on reading, with what had been read already."""
        self._pause = None
        if self.state in (self.STATE_OPEN, self.STATE_CLOSING):
            self.consumeData()
            if self._pause is None and not self.transport.disconnecting:
                self.transport.resumeProducing()

    def judge_pause(self, pause: Pause) -> None:
        """Close where the application has taken nothing for too long; no pong can arrive then."""
        if self._pause is not pause or self.is_cut:
            return
        now, waiting = time.monotonic(), self.application_queue.waiting
        # While it waits for the client to take something, the client's slowness is what is judged.
        if waiting < pause.waiting or self.is_awaited:
            pause.waiting, pause.since = waiting, now
        if now - pause.since < self.server.clocks.pause_seconds:
            self.server.clocks.pauses.add((self, pause))
            return
        self.server.cancel_stuck(self)
        self.shut(_INTERNAL_ERROR, _REASON)
