"""A connection's end: close frames that are told, behind everything that was sent before."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from daphne.ws_protocol import WebSocketProtocol

from shared.telemetry import metrics

__all__ = ["Ending"]

_REASON_BYTES = 123
# Those that RFC 6455 and its registry let a server send: 1005, 1006 and 1015 are for no frame, and
# 1010 is a client's.
_SENDABLE = {*range(1000, 1004), *range(1007, 1010), *range(1011, 1015), *range(3000, 5000)}
# For a close frame without a code.
_NO_STATUS = 1005


class Ending(WebSocketProtocol):
    """The part of a connection that closes it."""

    # The socket is closed; autobahn's state says so before it is.
    _has_ended = False
    # How its application has it closed when the server restarts, where it has words of its own.
    farewell: Callable[[], None] | None = None

    def send_away(self, code: int, reason: str) -> None:
        """Close the connection because the server ends, with this or what its protocol has."""
        if self.farewell is not None:
            self.farewell()
        else:
            self.shut(code, reason)

    def shut(self, code: int, reason: str = "") -> None:
        """
        Send a close frame, behind all that was sent before.

        Raises:
            ValueError: no server may send this code.
        """
        if code not in _SENDABLE:
            raise ValueError(f"{code} is no close code that a server may send.")
        if self.state == self.STATE_OPEN:
            words = reason.encode()[:_REASON_BYTES].decode(errors="ignore").encode()
            self.sendCloseFrame(code=code, reasonUtf8=words, isReply=False)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        if self.groups:
            self.catch_up()
        # Nothing may follow a close frame.
        self.cut()
        super().sendCloseFrame(code=code, reasonUtf8=reasonUtf8, isReply=isReply)
        if self.is_reading_paused:
            # Its answer comes behind what the application has not taken, and now never will.
            self.transport.reactor.callLater(0, self.resume_reading)

    def dropConnection(self, abort: bool = False) -> None:
        # Never with a reset at once, as autobahn has it also after a clean close: what was sent
        # last, the close frame, may not have arrived. Who does not take it is reset by `part`.
        self.cut()
        super().dropConnection(abort=False)
        self.factory.server_class.clocks.partings.add(ref(self))

    def part(self) -> None:
        """Reset a connection that could not end in order; one that has ended is no matter."""
        # Not so behind TLS, whose transport cannot be told twice.
        if not self._has_ended:
            self.transport.abortConnection()

    @property
    def closed_with(self) -> int | None:
        """The code of the close frame that was sent first, and not in answer to one."""
        return self.localCloseCode if self.closedByMe else None

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._has_ended = True
        self.farewell = None
        self.cut()
        if self._ping_slot >= 0:
            self.server.clocks.pings.discard(self, self._ping_slot)
            metrics.CONNECTION_DURATION.observe(self.duration())
        if hasattr(self, "server"):
            self.server.protocol_disconnected(self)
            if hasattr(self, "application_queue"):
                left = {
                    "type": "websocket.disconnect",
                    "code": _NO_STATUS if code is None else code,
                }
                self.application_queue.put_nowait(left)
