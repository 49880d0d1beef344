"""A connection's beginning: its handshake, and what becomes of it when that is done."""

from __future__ import annotations

import time
from typing import Any
from weakref import ref

from daphne.ws_protocol import WebSocketProtocol

from services.gateway.transport.output import Room
from services.gateway.transport.sockets import GatewaySocket
from shared.telemetry import metrics

__all__ = ["Opening"]

_PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_LEFTOVERS = (
    "_transport_details",
    "_wskey",
    "application_deferred",
    "clean_headers",
    "http_headers",
    "http_request_data",
    "http_request_host",
    "http_request_params",
    "http_request_path",
    "http_request_uri",
    "http_status_line",
    "protocol_to_accept",
    "request",
    "websocket_extensions",
    "websocket_extensions_in_use",
    "websocket_origin",
    "websocket_protocols",
)


class Opening(WebSocketProtocol):
    """The part of a connection that lasts until it is open."""

    # Whether groups may write to its socket; not before it is open.
    is_fast = False
    # Where the clock of pings has it; -1 means that it was never open.
    _ping_slot = -1

    def onConnect(self, request: Any) -> Any:
        # Daphne would take a client's word for where the application is mounted.
        request.headers.pop("daphne-root-path", None)
        # The HTTP channel, which else stays its producer and stops reading when writing is slow.
        self.transport.unregisterProducer()
        self.factory.server_class.clocks.handshakes.add(ref(self))
        accepted = super().onConnect(request)
        # Daphne's own goes by a clock that can be set.
        self.socket_opened = time.monotonic()
        return accepted

    def onOpen(self) -> None:
        self._slim()
        self.is_fast = self.can_be_fast
        if self.is_fast:
            self.transport.wire = self
            if self.unsent():
                # The answer to the handshake, of which the socket has not told.
                self.transport.took_at = time.monotonic()
                self.is_busy = True
                self.watch_stall()
        else:
            self.transport.registerProducer(Room(self), True)
        self._ping_slot = self.server.clocks.pings.add(self)

    def _slim(self) -> None:
        # What only the handshake needs; it would be kept for as long as the connection is open.
        for name in _LEFTOVERS:
            self.__dict__.pop(name, None)

    @property
    def can_be_fast(self) -> bool:
        """Whether bytes may go to the socket past autobahn and Twisted."""
        return (
            self.factory.server_class.is_fast
            and isinstance(self.transport, GatewaySocket)
            and not self.transport.TLS
            and self._perMessageCompress is None
        )

    def duration(self) -> float:
        """Return for how many seconds it has been there."""
        return float(time.monotonic() - self.socket_opened)

    def give_up_handshake(self) -> None:
        """Turn down what the application has neither accepted nor refused in time."""
        if self._is_undecided:
            metrics.HANDSHAKES_REJECTED.labels(reason="capacity").inc()
            self.turn_down(503)

    def turn_down(self, status: int, headers: list[tuple[str, str]] | None = None) -> None:
        """Answer the handshake with an HTTP status; afterwards there is no connection."""
        if not self._is_undecided:
            return
        del self.handshake_deferred
        self.server.protocol_disconnected(self)
        super().failHandshake(_PHRASES.get(status, "Refused"), status, headers)

    def failHandshake(
        self, reason: str, code: int = 400, responseHeaders: list[tuple[str, str]] | None = None
    ) -> None:
        # By autobahn itself, which looks at the headers more closely than `HandshakeRequest`.
        if code < 500:
            metrics.HANDSHAKES_REJECTED.labels(reason="protocol").inc()
        # Its words repeat what the client has sent.
        super().failHandshake(_PHRASES.get(code, "Refused"), code, responseHeaders)

    @property
    def _is_undecided(self) -> bool:
        return self.state == self.STATE_CONNECTING and hasattr(self, "handshake_deferred")
