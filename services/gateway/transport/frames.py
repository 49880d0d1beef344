"""WebSocket frames from the server (RFC 6455, section 5.2): whole, unmasked, never compressed."""

from __future__ import annotations

import struct

__all__ = ["binary_frame", "text_frame"]

_FINAL_TEXT = 0x81
_FINAL_BINARY = 0x82


def text_frame(payload: bytes) -> bytes:
    """Return the one frame of a text message, ready for any number of sockets."""
    return _frame(_FINAL_TEXT, payload)


def binary_frame(payload: bytes) -> bytes:
    """Return the one frame of a binary message."""
    return _frame(_FINAL_BINARY, payload)


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        header = bytes((first, length))
    elif length < 1 << 16:
        header = struct.pack("!BBH", first, 126, length)
    else:
        header = struct.pack("!BBQ", first, 127, length)
    return header + payload
