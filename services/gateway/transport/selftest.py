"""
The self-test: whether Twisted and autobahn still have what the fast path holds on to.

It depends on private attributes, which a new release may rename. Better a slow gateway than one
that mixes up frames, so this is asked of real objects before anybody is served.
"""

from __future__ import annotations

import os
import socket
from array import array
from typing import Any

from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from services.gateway.transport.sockets import GatewaySocket

__all__ = ["SelfTestFailed", "self_test"]

# More than the kernel takes from a socket whose peer does not read, in numbers of four bytes.
_FLOOD_NUMBERS = 2 * 1024 * 1024
# Without a byte, after which it is clear that none will come.
_TURNS = 100


class SelfTestFailed(Exception):
    """The libraries are not as the fast path needs them; the text says where."""


class _Peer:
    """What the test gives a transport instead of a connection, and what that told it."""

    def __init__(self) -> None:
        self.is_busy = False
        self.told: list[str] = []

    def make_busy(self) -> None:
        self.is_busy = True
        self.told.append("busy")

    def drained(self) -> None:
        self.is_busy = False
        self.told.append("drained")

    def watch_stall(self) -> None:
        pass

    def cut(self) -> None:
        self.told.append("cut")


def self_test() -> None:
    """
    Write to a socket past its buffers, then through them, then past them again.

    Raises:
        SelfTestFailed: bytes, their order, or what was told of them is not as it must be.
    """
    try:
        _attributes()
        _writing()
    except SelfTestFailed:
        raise
    except Exception as error:
        raise SelfTestFailed(f"{type(error).__name__}: {error}") from error


def _attributes() -> None:
    for name in ("sendData", "sendCloseFrame", "dropConnection", "processData", "consumeData"):
        # Not of ours, which overrides some of them.
        _expect(callable(getattr(WebSocketProtocol, name, None)), f"no {name} in autobahn")
    for name in ("STATE_OPEN", "STATE_CONNECTING", "STATE_CLOSING"):
        _expect(isinstance(getattr(WebSocketProtocol, name, None), int), f"no {name} in autobahn")
    _expect(callable(getattr(reactor, "_readOrWrite", None)), "no _readOrWrite in Twisted")


def _writing() -> None:
    ours, theirs = socket.socketpair()
    # No part of it is as another, so that the order shows.
    flood = array("I", range(_FLOOD_NUMBERS)).tobytes()
    transport: Any = None
    try:
        ours.setblocking(False)
        transport = GatewaySocket(ours, Protocol(), ("127.0.0.1", 0), None, 0, reactor)
        peer = _Peer()
        transport.wire = peer
        for name, kind in (
            ("dataBuffer", bytes),
            ("offset", int),
            ("_tempDataBuffer", list),
            ("_tempDataLen", int),
            ("_aborting", bool | int),
            ("disconnecting", bool | int),
            ("TLS", bool | int),
        ):
            _expect(isinstance(getattr(transport, name, None), kind), f"no {name} in Twisted")
        _expect(os.write(transport.fileno(), b"<1>") == 3, "a direct write was short")
        transport.write(b"<2>")
        _expect(peer.told == ["busy"], f"buffered bytes told {peer.told}")
        _expect(transport._tempDataLen == 3, "buffered bytes are not counted")
        reactor._readOrWrite(transport, False)
        _expect(peer.told == ["busy", "drained"], f"a drained buffer told {peer.told}")
        taken = os.write(transport.fileno(), flood)
        _expect(taken < len(flood), "a full socket took everything")
        transport.write(flood[taken:])
        reactor._readOrWrite(transport, False)
        waiting = transport._tempDataLen + len(transport.dataBuffer) - transport.offset
        _expect(waiting == len(flood) - taken, "what a full socket left is not counted")
        _expect(peer.told[2:] == ["busy"], f"a full socket told {peer.told[2:]}")
        _expect(_read(theirs, transport) == b"<1><2>" + flood, "bytes came in another order")
        _expect(peer.told[3:] == ["drained"], f"an emptied buffer told {peer.told[3:]}")
        transport.connectionLost(Failure(ConnectionDone()))
        _expect(peer.told[-1] == "cut", "the end of a connection was not told")
    finally:
        # The reactor must not look at a descriptor that is about to be another connection's.
        if transport is not None:
            reactor.removeReader(transport)
            reactor.removeWriter(transport)
        theirs.close()
        ours.close()


def _read(theirs: socket.socket, transport: Any) -> bytes:
    theirs.setblocking(False)
    read = []
    vain = 0
    while True:
        try:
            read.append(theirs.recv(1 << 20))
            _expect(read[-1] != b"", "a connection was lost while it was written to")
            vain = 0
        except BlockingIOError:
            vain += 1
            _expect(vain < _TURNS, "what a full socket left is not sent")
            if not transport._tempDataLen and not transport.dataBuffer:
                return b"".join(read)
            reactor._readOrWrite(transport, False)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SelfTestFailed(otherwise)
