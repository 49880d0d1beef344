"""
The little of RFC 6455 that a listening client needs. Pure: bytes in, frames out.

A library's client costs ten times as much for each socket, and the load would slow down what it
measures.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field

__all__ = ["CLOSE", "PING", "TEXT", "BrokenFrame", "FrameReader", "masked", "opening"]

TEXT = 1
CLOSE = 8
PING = 9
PONG = 10

_MASKED = 0x80


class BrokenFrame(Exception):
    """The server sent what this client cannot read."""


def opening(host: str, path: str, headers: dict[str, str]) -> bytes:
    """Return the request that opens a WebSocket."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def masked(opcode: int, payload: bytes) -> bytes:
    """Return a short frame as a client must send it; its mask is zero, which changes nothing."""
    assert len(payload) < 126, "a client that listens sends pongs alone"
    return bytes([0x80 | opcode, _MASKED | len(payload), 0, 0, 0, 0]) + payload


@dataclass
class FrameReader:
    """Cuts what a server sends into frames."""

    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """
        Return the opcode and payload of each frame that is complete now.

        Raises:
            BrokenFrame: a part of a message, or a masked frame.
        """
        self._buffer += data
        frames = []
        while (frame := self._take()) is not None:
            frames.append(frame)
        return frames

    def _take(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, length = buffer[0], buffer[1]
        if first & 0xF0 != 0x80 or first & 0x0F == 0 or length & _MASKED:
            raise BrokenFrame(f"The server began a frame with {bytes(buffer[:2])!r}.")
        start = 2
        if length > 125:
            start += 2 if length == 126 else 8
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2:start])
        if len(buffer) < start + length:
            return None
        payload = bytes(buffer[start : start + length])
        del buffer[: start + length]
        return first & 0x0F, payload
