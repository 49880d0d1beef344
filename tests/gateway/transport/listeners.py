"""Many clients in one process: each reads when it is told to, and as much as it is told."""

from __future__ import annotations

import selectors
import struct
import time
from collections.abc import Callable, Iterable

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import CLOSE, PING, PONG, TEXT, frame, handshake

__all__ = ["Listener", "read_all"]

_SECONDS = 30.0


class Listener:
    """
    A client that never waits.

    Attributes:
        texts: the messages that it has got.
        reset: ends the connection with an RST.
        code: that of the close frame, once it has come.
        has_ended: whether the connection has.
    """

    def __init__(self, server: Child, path: str, *, receive_buffer: int | None = None) -> None:
        """Connect and ask for a path; `is_open` tells of the answer."""
        client = server.connect(receive_buffer=receive_buffer)
        self.socket, self.reset = client.socket, client.reset
        self.socket.sendall(handshake(path))
        self.socket.setblocking(False)
        self.is_open = False
        self.texts: list[str] = []
        self.code: int | None = None
        self.has_ended = False
        self._bytes = bytearray()

    def say(self, *commands: str) -> None:
        """Send commands, so that the server reads them in one piece."""
        self.socket.setblocking(True)
        self.socket.sendall(b"".join(frame(TEXT, each.encode()) for each in commands))
        self.socket.setblocking(False)

    def read(self, most: int = 1 << 20) -> int:
        """Read what is there, and return how many bytes that was."""
        count = 0
        while count < most and not self.has_ended:
            try:
                data = self.socket.recv(min(most - count, 1 << 18))
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            self.has_ended = not data
            self._bytes += data
            count += len(data)
        self._parse()
        return count

    def _parse(self) -> None:
        data, at = self._bytes, 0
        if not self.is_open:
            if (end := data.find(b"\r\n\r\n")) < 0:
                return
            assert data.startswith(b"HTTP/1.1 101 "), f"{bytes(data[:200])!r} is no handshake"
            self.is_open, at = True, end + 4
        while len(data) >= at + 2:
            opcode, length = data[at] & 0x0F, data[at + 1]
            start = at + (2 if length < 126 else 4 if length == 126 else 10)
            if length > 125 and len(data) >= start:
                length = int.from_bytes(data[at + 2 : start])
            if len(data) < start + length:
                break
            payload, at = bytes(data[start : start + length]), start + length
            assert self.code is None, f"{payload[:100]!r} came after the close frame"
            match opcode:
                case _ if opcode == TEXT:
                    self.texts.append(payload.decode())
                case _ if opcode == CLOSE:
                    (self.code,) = struct.unpack("!H", payload[:2])
                case _ if opcode == PING:
                    self.socket.send(frame(PONG, payload))
                case other:
                    raise AssertionError(f"a frame of kind {other} came")
        del data[:at]


def read_all(
    listeners: Iterable[Listener], until: Callable[[], bool], *, seconds: float = _SECONDS
) -> None:
    """Read from all of them as it arrives, until a condition holds."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for each in listeners:
            if not each.has_ended:
                selector.register(each.socket, selectors.EVENT_READ, each)
        while not until():
            assert time.monotonic() < deadline, "it did not come to that"
            for key, _ in selector.select(0.02) if selector.get_map() else ():
                key.data.read()
                if key.data.has_ended:
                    selector.unregister(key.fileobj)
