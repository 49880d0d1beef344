"""The HTTP of a gateway: handshakes of WebSockets, and short answers to everything else."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from typing import Any
from weakref import ref

from daphne.http_protocol import WebRequest
from daphne.utils import HEADER_NAME_RE, INVALID_HEADER_VALUE_BYTES
from twisted.web import http
from twisted.web.http_headers import Headers

from shared.telemetry import metrics

__all__ = ["HandshakeChannel", "HandshakeFactory", "HandshakeRequest"]

logger = logging.getLogger(__name__)

_HEADER_BYTES = 16 * 1024
_HEADERS = 100
_WORDS = {
    400: "Bad Request",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_EXTRA = {
    405: b"Allow: GET\r\n",
    426: b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    503: b"Retry-After: 1\r\n",
}


class HandshakeRequest(WebRequest):
    """A request that must be a handshake."""

    def process(self) -> Any:
        # Daphne decodes what any client says of its address.
        if not self.channel.factory.server.trusts(self.client):
            self.requestHeaders.removeHeader(b"X-Real-IP")
        if status := self._refusal():
            self.channel.refuse(status)
            return None
        # Daphne knows no lists of protocols.
        self.requestHeaders.setRawHeaders(b"Upgrade", [b"websocket"])
        self.channel.upgrade()
        return super().process().addErrback(self._fail)

    def _fail(self, failure: Any) -> None:
        logger.error("A handshake failed.", exc_info=failure.value)
        self.channel.refuse(500)

    def _refusal(self) -> int | None:
        headers = self.requestHeaders
        if self.method != b"GET":
            return 405
        if not _are_legal(headers):
            return 400
        if self.clientproto != b"HTTP/1.1" or len(headers.getRawHeaders(b"Host", [])) != 1:
            return 400
        upgrades = b",".join(headers.getRawHeaders(b"Upgrade", [])).lower().split(b",")
        if b"websocket" not in [upgrade.strip() for upgrade in upgrades]:
            return 426
        if not _is_address(headers.getRawHeaders(b"X-Real-IP", [])):
            return 400
        if not b"".join(headers.getRawHeaders(b"Sec-WebSocket-Protocol", [])).isascii():
            return 400
        versions = headers.getRawHeaders(b"Sec-WebSocket-Version", [])
        keys = headers.getRawHeaders(b"Sec-WebSocket-Key", [])
        if versions != [b"13"]:
            return 426 if len(versions) == 1 and versions[0].strip().isdigit() else 400
        if len(keys) != 1:
            return 400
        if why := self.channel.factory.server.refusal:
            metrics.HANDSHAKES_REJECTED.labels(reason=why).inc()
            return 503
        return None


def _is_address(values: list[bytes]) -> bool:
    """Tell whether a proxy says where a connection comes from; it need not."""
    if not values:
        return True
    try:
        ip_address(values[0].decode("ascii").strip())
    except ValueError:
        return False
    return len(values) == 1


def _are_legal(headers: Headers) -> bool:
    # As Daphne has it, whose own answer to those that are not would never be sent.
    return all(
        HEADER_NAME_RE.fullmatch(name)
        and not any(INVALID_HEADER_VALUE_BYTES.intersection(value) for value in values)
        for name, values in headers.getAllRawHeaders()
    )


class HandshakeChannel(http.HTTPChannel):
    """One connection until its upgrade: few, small headers, soon, and never a body."""

    requestFactory = HandshakeRequest
    totalHeadersSize = _HEADER_BYTES
    maxHeaders = _HEADERS
    length: int | None
    # Set when the connection belongs to a WebSocket, or was refused.
    is_upgraded = False
    _is_refused = False
    # Whether the server counts it among those that have not said what they want.
    _is_arriving = False

    def connectionMade(self) -> None:
        super().connectionMade()
        server = self.factory.server
        self._is_arriving = True
        server.capacity.arriving += 1
        if server.capacity.is_overrun:
            # Before it costs more than a descriptor, of which there must be some for the rest.
            self._is_refused = True
            metrics.HANDSHAKES_REJECTED.labels(reason="capacity").inc()
            self.transport.abortConnection()
        else:
            server.clocks.arrivals.add(ref(self))

    def connectionLost(self, reason: Any) -> None:
        # Of an upgraded connection it is the WebSocket that hears this.
        self._arrived()
        super().connectionLost(reason)

    def upgrade(self) -> None:
        """Leave the connection to a WebSocket."""
        self.is_upgraded = True
        self._arrived()

    def _arrived(self) -> None:
        if self._is_arriving:
            self._is_arriving = False
            self.factory.server.capacity.arriving -= 1

    def judge_arrival(self) -> None:
        """Close where the headers have not come in time, a byte now and then or not."""
        if self.is_upgraded or self._is_refused:
            return
        if self.transport is not None and self.transport.connected:
            self.refuse(408)

    def refuse(self, status: int) -> None:
        """Answer with a status and close."""
        if self._is_refused:
            return
        self._is_refused = True
        if status < 500:
            metrics.HANDSHAKES_REJECTED.labels(reason="protocol").inc()
        words = f"{status} {_WORDS[status]}"
        body = f"{words}\n".encode()
        head = (
            f"HTTP/1.1 {words}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n"
        )
        self.transport.write(head.encode() + _EXTRA.get(status, b"") + b"\r\n" + body)
        self.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        # After a refusal whatever else comes is not read, however much it is.
        if not self._is_refused:
            super().dataReceived(data)

    def lineReceived(self, line: bytes) -> Any:
        if self._receivedHeaderSize + len(line) > self.totalHeadersSize:
            self.refuse(431)
            return None
        return super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse(431)

    def headerReceived(self, line: bytes) -> bool:
        if self._receivedHeaderCount >= self.maxHeaders:
            self.refuse(431)
            return False
        return bool(super().headerReceived(line))

    def allHeadersReceived(self) -> None:
        if self.length != 0:
            # Of known or unknown length: a handshake has none, and none is ever spooled.
            self.refuse(413)
            self.length = 0
            return
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        if not self._is_refused:
            super().allContentReceived()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(400)


class HandshakeFactory(http.HTTPFactory):
    """Makes channels; HTTP/2, which browsers do not use for this, is not offered."""

    protocol = HandshakeChannel

    def __init__(self, server: Any) -> None:
        # The arrivals' deadline is the bound; a timer for each connection is not needed.
        super().__init__(timeout=None)
        self.server = server

    def buildProtocol(self, addr: Any) -> Any:
        channel = HandshakeChannel()
        channel.factory = self
        channel.timeOut = None
        return channel

    def startFactory(self) -> None:
        """Do nothing: Twisted would keep a clock for an access log, which nginx writes."""

    def stopFactory(self) -> None:
        """Do nothing, see above."""
