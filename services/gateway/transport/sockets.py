"""Sockets: Twisted's transports, which tell their connection when bytes wait and when none do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp, unix

if TYPE_CHECKING:
    from services.gateway.transport.protocol import GatewayProtocol

__all__ = ["GatewaySocket", "GatewayUnixSocket"]


class GatewaySocket(tcp.Server):
    """
    A TCP connection that has a wire from the end of its handshake on.

    Twisted calls `startWriting` when bytes are buffered or the connection is to be closed, and
    `stopWriting` when all is out (twisted/internet/abstract.py, FileDescriptor).
    """

    wire: GatewayProtocol | None = None
    # When the peer last took something, by time.monotonic(); kept while bytes wait.
    took_at = 0.0
    # Whether bytes wait since the wire is there, which it may be busy without.
    _is_writing = False

    def startWriting(self) -> None:
        wire = self.wire
        if wire is not None and not self._is_writing:
            self._is_writing = True
            self.took_at = time.monotonic()
            wire.make_busy()
            wire.watch_stall()
        super().startWriting()

    def stopWriting(self) -> None:
        super().stopWriting()
        self._is_writing = False
        if self.wire is not None:
            self.wire.drained()

    def writeSomeData(self, data: bytes) -> Any:
        taken = super().writeSomeData(data)
        if self.wire is not None and isinstance(taken, int) and taken > 0:
            self.took_at = time.monotonic()
        return taken

    def connectionLost(self, reason: Any) -> None:
        # Before the descriptor is closed, and given to the next connection.
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.cut()
        super().connectionLost(reason)


class GatewayUnixSocket(GatewaySocket, unix.Server):
    """The same on a unix socket, as between nginx and a gateway on one machine."""
