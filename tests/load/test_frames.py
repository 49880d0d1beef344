"""The client that listens in the benchmarks reads what a server may send."""

from __future__ import annotations

import pytest

from tests.load.frames import CLOSE, PING, TEXT, BrokenFrame, FrameReader, masked, opening


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a frame as a server sends it."""
    length = len(payload)
    if length < 126:
        head = bytes([length])
    elif length < 65_536:
        head = bytes([126]) + length.to_bytes(2)
    else:
        head = bytes([127]) + length.to_bytes(8)
    return bytes([0x80 | opcode]) + head + payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_reads_every_length(size: int) -> None:
    """The three forms of a length are understood."""
    assert FrameReader().feed(frame(TEXT, b"x" * size)) == [(TEXT, b"x" * size)]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1_000])
def test_reads_frames_however_they_are_cut(step: int) -> None:
    """Packets end anywhere: inside a head, a length, a payload, or after several frames."""
    sent = [(TEXT, b"hello"), (PING, b""), (TEXT, b"y" * 300), (CLOSE, b"\x03\xe8")]
    data = b"".join(frame(opcode, payload) for opcode, payload in sent)
    reader = FrameReader()
    got = []
    for start in range(0, len(data), step):
        got += reader.feed(data[start : start + step])
    assert got == sent


@pytest.mark.parametrize("data", [b"\x01\x00", b"\x80\x00", b"\xc1\x00", b"\x81\x80"])
def test_refuses_what_it_does_not_know(data: bytes) -> None:
    """Parts of messages, extensions and masked frames are not silently misread."""
    with pytest.raises(BrokenFrame):
        FrameReader().feed(data)


def test_masks_what_it_sends() -> None:
    """A server refuses a client's frame without a mask."""
    assert masked(10, b"hi") == b"\x8a\x82\x00\x00\x00\x00hi"


def test_opens_with_a_fresh_key_each_time() -> None:
    """The request has the headers of the handshake and those that were given."""
    first, second = (opening("host:1", "/ws/", {"Origin": "http://host:1"}) for _ in range(2))
    assert first.startswith(b"GET /ws/ HTTP/1.1\r\nHost: host:1\r\n")
    assert b"\r\nOrigin: http://host:1\r\n" in first
    assert first.endswith(b"\r\n\r\n")
    assert first != second
