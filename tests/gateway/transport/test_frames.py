from __future__ import annotations

import pytest

from services.gateway.transport.frames import binary_frame, text_frame


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, b"\x81\x00"),
        (1, b"\x81\x01"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_text(length: int, header: bytes) -> None:
    """The shortest form of each length, whole and unmasked."""
    payload = b"x" * length
    assert text_frame(payload) == header + payload


def test_binary() -> None:
    """Only the opcode differs."""
    assert binary_frame(b"\x00\xff") == b"\x82\x02\x00\xff"


def test_examples_of_the_rfc() -> None:
    """RFC 6455, section 5.7."""
    assert text_frame(b"Hello") == b"\x81\x05Hello"
    assert binary_frame(bytes(256))[:4] == b"\x82\x7e\x01\x00"
