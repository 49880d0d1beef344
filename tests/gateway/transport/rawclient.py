"""
A client that does exactly what a test says, whatever RFC 6455 thinks of it.

Blocking, on a socket of the operating system's, so that its resets and its stops can be seen.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import time
from typing import Any, NamedTuple, Self

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "RawClient",
    "Response",
    "close_payload",
    "frame",
    "handshake",
    "masked",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_SECONDS = 10.0
_MASK = b"\x11\x22\x33\x44"


class Frame(NamedTuple):
    """A frame from the server."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0

    @property
    def text(self) -> str:
        assert self.opcode == TEXT, f"{self} is no text."
        return self.payload.decode()

    @property
    def code(self) -> int | None:
        """The code of a close frame; None where it has none."""
        assert self.opcode == CLOSE, f"{self} is no close frame."
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None

    @property
    def reason(self) -> str:
        assert self.opcode == CLOSE, f"{self} is no close frame."
        return self.payload[2:].decode()


class Response(NamedTuple):
    """The head of an HTTP response; names in lower case."""

    status: int
    headers: dict[str, str]


def masked(payload: bytes, mask: bytes = _MASK) -> bytes:
    """Return the payload as a client has to send it."""
    length = len(payload)
    key = int.from_bytes((mask * (length // 4 + 1))[:length])
    return (int.from_bytes(payload) ^ key).to_bytes(length)


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bool = True,
    length: int | None = None,
) -> bytes:
    """
    Return a frame's bytes.

    Args:
        opcode: any from 0 to 15.
        payload: what it carries.
        fin: whether it is the last one of its message.
        rsv: the three reserved bits as a number, 4 for the first one.
        mask: whether it is masked, as a client's must be.
        length: what it says of its payload, true or not; written in 64 bits.
    """
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    second = 0x80 if mask else 0
    if length is not None:
        head = struct.pack("!BBQ", first, second | 127, length)
    elif len(payload) < 126:
        head = struct.pack("!BB", first, second | len(payload))
    elif len(payload) < 1 << 16:
        head = struct.pack("!BBH", first, second | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, second | 127, len(payload))
    return head + (_MASK + masked(payload) if mask else payload)


def close_payload(code: int, reason: bytes | str = b"") -> bytes:
    """Return what a close frame carries."""
    words = reason.encode() if isinstance(reason, str) else reason
    return struct.pack("!H", code) + words


def handshake(
    path: str = "/echo",
    *,
    method: str = "GET",
    protocol: str = "HTTP/1.1",
    without: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
    **changed: str,
) -> bytes:
    """
    Return a handshake's bytes.

    Args:
        path: where to, with its query.
        method: GET is right.
        protocol: HTTP/1.1 is right.
        without: usual headers to leave out.
        headers: more headers, also of names that are there.
        changed: other values for usual headers, as in `sec_websocket_version="8"`.
    """
    usual = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    values = {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [(name, values.pop(name.lower(), value)) for name, value in usual.items()]
    assert not values, f"Not usual, so to be given as headers: {values}."
    kept = [(name, value) for name, value in lines if name not in without]
    head = "".join(f"{name}: {value}\r\n" for name, value in [*kept, *headers])
    return f"{method} {path} {protocol}\r\n{head}\r\n".encode("latin-1")


class RawClient:
    """
    One TCP connection to a server, and after `open` a WebSocket.

    Attributes:
        socket: to be used at will.
        pings: the payloads of pings that `read` has answered or passed over.
    """

    def __init__(
        self, port: int, *, seconds: float = _SECONDS, receive_buffer: int | None = None
    ) -> None:
        """
        Connect.

        Args:
            port: of the server, on 127.0.0.1.
            seconds: how long each call may take.
            receive_buffer: SO_RCVBUF, for a client that is soon full.
        """
        self.socket = socket.socket()
        self.socket.settimeout(seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", port))
        self.pings: list[bytes] = []
        self._read = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def address(self) -> tuple[str, int]:
        """This end's host and port."""
        host, port = self.socket.getsockname()
        return host, port

    def reset(self) -> None:
        """End the connection with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # -- HTTP --

    def open(self, path: str = "/echo", **how: Any) -> Self:
        """Shake hands, as `handshake` says, and expect success."""
        self.socket.sendall(handshake(path, **how))
        response = self.response()
        assert response.status == 101, f"{path} was answered by {response}."
        return self

    def response(self) -> Response:
        """Read the head of an HTTP response."""
        while (end := self._read.find(b"\r\n\r\n")) < 0:
            self._more()
        lines = bytes(self._read[:end]).decode("latin-1").split("\r\n")
        del self._read[: end + 4]
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return Response(int(lines[0].split(" ")[1]), headers)

    # -- frames --

    def send(self, message: str | bytes) -> None:
        """Send a message in one frame."""
        if isinstance(message, str):
            self.socket.sendall(frame(TEXT, message.encode()))
        else:
            self.socket.sendall(frame(BINARY, message))

    def send_frame(self, opcode: int, payload: bytes = b"", **how: Any) -> None:
        """Send any frame."""
        self.socket.sendall(frame(opcode, payload, **how))

    def read_frame(self) -> Frame:
        """Read the next frame, whatever it is."""
        first, second = self._take(2)
        assert not second & 0x80, "A server must not mask."
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        return Frame(first & 0x0F, self._take(length), bool(first & 0x80), first >> 4 & 0x7)

    def read(self, *, answer_pings: bool = True) -> Frame:
        """Read the next frame that is no ping."""
        while (got := self.read_frame()).opcode == PING:
            self.pings.append(got.payload)
            if answer_pings:
                self.send_frame(PONG, got.payload)
        return got

    def read_text(self) -> str:
        """Read a text message."""
        return self.read().text

    def read_json(self) -> Any:
        """Read a text message that is JSON."""
        return json.loads(self.read().text)

    def read_close(self) -> Frame:
        """Pass over everything until the close frame."""
        while (got := self.read()).opcode != CLOSE:
            pass
        return got

    def read_end(self) -> None:
        """
        Expect the orderly end of the connection, and nothing before it.

        Raises:
            ConnectionResetError: it was an RST.
        """
        rest = self.read_rest()
        assert not rest, f"{rest[:100]!r} came before the end."

    def read_rest(self) -> bytes:
        """Read until the end of the connection, whatever it is."""
        rest = bytearray(self._read)
        self._read.clear()
        while data := self.socket.recv(1 << 16):
            rest += data
        return bytes(rest)

    def close(self, code: int = 1000) -> Frame:
        """Close in order, and return the server's close frame."""
        self.send_frame(CLOSE, close_payload(code))
        got = self.read_close()
        self.read_end()
        return got

    def close_by_server(self) -> int | None:
        """Expect a close frame next, answer it, expect the end, and return its code."""
        got = self.read()
        assert got.opcode == CLOSE, f"{got} is no close frame."
        self.send_frame(CLOSE, got.payload)
        self.read_end()
        return got.code

    def fill(self, data: bytes, *, still: float = 1.0, most: int = 1 << 30) -> int:
        """
        Send the same bytes again and again until the server takes no more of them.

        Args:
            data: what to send.
            still: seconds without progress that mean it.
            most: where to stop anyway.

        Returns:
            How many bytes went out.
        """
        sent, at = 0, time.monotonic()
        patience = self.socket.gettimeout()
        view = memoryview(data * max(1, (1 << 18) // len(data)))
        self.socket.settimeout(0.05)
        try:
            while sent < most and time.monotonic() - at < still:
                try:
                    sent += self.socket.send(view[sent % len(view) :])
                    at = time.monotonic()
                except TimeoutError:
                    pass
        finally:
            self.socket.settimeout(patience)
        return sent

    def _take(self, count: int) -> bytes:
        while len(self._read) < count:
            self._more()
        taken = bytes(self._read[:count])
        del self._read[:count]
        return taken

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError(f"The connection ended after {bytes(self._read[:100])!r}.")
        self._read += data
