"""The self-test, in a process of its own: importing Daphne chooses Twisted's reactor for good."""

from __future__ import annotations

import pytest

from tests.processes import python

# Servers of their own, one after the other.
pytestmark = pytest.mark.thorough

_TRY = """
import asyncio
import daphne.server
from twisted.internet import abstract, reactor, tcp
from autobahn.websocket.protocol import WebSocketProtocol
from services.gateway.transport.protocol import GatewayProtocol
from services.gateway.transport.selftest import SelfTestFailed, self_test
from services.gateway.transport.sockets import GatewaySocket

{change}
try:
    self_test()
except SelfTestFailed as error:
    print(f"failed: {{error}}")
else:
    print("passed")
"""

_CHANGES = {
    "no dataBuffer": "del abstract.FileDescriptor.dataBuffer",
    "no offset": "del abstract.FileDescriptor.offset",
    "dataBuffer of another type": "abstract.FileDescriptor.dataBuffer = bytearray()",
    "no _aborting": "del tcp._AbortingMixin._aborting",
    "no disconnecting": "del abstract.FileDescriptor.disconnecting",
    "another name of _tempDataLen": (
        "made = abstract.FileDescriptor.__init__\n"
        "def init(self, reactor=None):\n"
        "    made(self, reactor)\n"
        "    del self._tempDataLen\n"
        "abstract.FileDescriptor.__init__ = init"
    ),
    "no TLS": "del tcp._TLSConnectionMixin.TLS",
    "no _readOrWrite": "del type(reactor)._readOrWrite",
    "no sendData": "del WebSocketProtocol.sendData",
    "no sendCloseFrame": "del WebSocketProtocol.sendCloseFrame",
    "no consumeData": "del WebSocketProtocol.consumeData",
    "no STATE_OPEN": "del WebSocketProtocol.STATE_OPEN",
    "startWriting is not called": "del GatewaySocket.startWriting",
    "stopWriting is not called": "del GatewaySocket.stopWriting",
    "bytes in another order": (
        "def write(self, data):\n"
        "    self._tempDataBuffer[:0] = [data[3:], data[:3]]\n"
        "    self._tempDataLen += len(data)\n"
        "    self.startWriting()\n"
        "abstract.FileDescriptor.write = write"
    ),
    "what waits is not written": (
        "written = []\n"
        "def writeSomeData(self, data, real=tcp.Connection.writeSomeData):\n"
        "    written.append(data)\n"
        "    return real(self, data) if len(written) < 3 else 0\n"
        "GatewaySocket.writeSomeData = writeSomeData"
    ),
    "the end of a connection is not told": "del GatewaySocket.connectionLost",
}


def test_libraries_as_they_are() -> None:
    """The installed releases have all that the fast path holds on to."""
    tried = python("-c", _TRY.format(change=""), environment={})
    assert tried.stdout == "passed\n", tried.stderr


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES.keys())
def test_libraries_of_another_day(change: str) -> None:
    """Whatever a new release takes away is noticed, and named, before anybody is served."""
    tried = python("-c", _TRY.format(change=change), environment={})
    assert tried.stdout.startswith("failed: "), tried.stdout + tried.stderr
