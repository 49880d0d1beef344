"""Frames that RFC 6455 forbids, and the codes with which connections end."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_payload,
    frame,
    handshake,
)

_MOST = 64 * 1024
_HUGE = 1 << 62

_BAD = {
    "text that is no UTF-8": (1007, frame(TEXT, b"\xff\xfe")),
    "text that ends within a character": (1007, frame(TEXT, "é".encode()[:1])),
    "a surrogate in text": (1007, frame(TEXT, b"\xed\xa0\x80")),
    "a later fragment that is no UTF-8": (
        1007,
        frame(TEXT, b"ok", fin=False) + frame(CONTINUATION, b"\xff"),
    ),
    "a text frame too long": (1009, frame(TEXT, b"x" * (_MOST + 1))),
    "a binary frame too long": (1009, frame(BINARY, b"x" * (_MOST + 1))),
    "fragments that are too long together": (
        1009,
        frame(TEXT, b"x" * 40_000, fin=False) + frame(CONTINUATION, b"x" * 40_000),
    ),
    "a length of 2^62": (1009, frame(TEXT, length=_HUGE)),
    "a continuation with a length of 2^62": (
        1009,
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, length=_HUGE),
    ),
    "a length of 2^63, which must not be": (1002, frame(TEXT, length=1 << 63)),
    "an unmasked frame": (1002, frame(TEXT, b"bare", mask=False)),
    "an unmasked close frame": (1002, frame(CLOSE, close_payload(1000), mask=False)),
    "RSV1, as of a compressed message": (1002, frame(TEXT, b"x", rsv=4)),
    "RSV2": (1002, frame(TEXT, b"x", rsv=2)),
    "RSV3": (1002, frame(PING, b"x", rsv=1)),
    "opcode 3": (1002, frame(3, b"x")),
    "opcode 11": (1002, frame(11, b"x")),
    "a ping of 126 bytes": (1002, frame(PING, b"x" * 126)),
    "a pong of 126 bytes": (1002, frame(PONG, b"x" * 126)),
    "a fragmented ping": (1002, frame(PING, b"x", fin=False)),
    "a continuation of nothing": (1002, frame(CONTINUATION, b"x")),
    "a message within a message": (1002, frame(TEXT, b"a", fin=False) + frame(TEXT, b"b")),
    "a close frame of 1 byte": (1002, frame(CLOSE, b"\x03")),
    "a close frame of 126 bytes": (1002, frame(CLOSE, close_payload(1000, b"x" * 124))),
    "close code 999": (1002, frame(CLOSE, close_payload(999))),
    "close code 1005": (1002, frame(CLOSE, close_payload(1005))),
    "close code 1006": (1002, frame(CLOSE, close_payload(1006))),
    "close code 1015": (1002, frame(CLOSE, close_payload(1015))),
    "close code 5000": (1002, frame(CLOSE, close_payload(5000))),
    "a close reason that is no UTF-8": (1007, frame(CLOSE, close_payload(1000, b"\xff"))),
}


@pytest.mark.parametrize(("code", "data"), _BAD.values(), ids=_BAD.keys())
def test_protocol_error(server: Child, code: int, data: bytes) -> None:
    """A frame that must not be gets a close frame that says so, then an orderly end."""
    with server.open() as client:
        client.send("before")
        assert client.read_text() == "before"
        client.socket.sendall(data)
        got = client.read()
        assert (got.opcode, got.code) == (CLOSE, code)
        assert got.reason
        with suppress(OSError):
            # A bad close frame was one, too: that connection may have ended already.
            client.send_frame(CLOSE, got.payload)
        client.read_end()


@pytest.mark.parametrize("data", [data for code, data in _BAD.values() if code != 1009][:3])
def test_protocol_error_is_told_also_to_who_goes_on_sending(server: Child, data: bytes) -> None:
    """What comes after the mistake is not answered, and does not turn the close into a reset."""
    with server.open() as client:
        client.socket.sendall(data + frame(TEXT, b"and then") * 3)
        assert client.read().code == 1007


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_echo(server: Child, opcode: int, length: int) -> None:
    """Messages of every length and both kinds arrive, also empty ones, and go out."""
    with server.open() as client:
        client.send_frame(opcode, b"x" * length)
        got = client.read()
        assert (got.opcode, got.fin, got.rsv) == (opcode, True, 0)
        assert got.payload == b"x" * length
        assert client.close().code == 1000


def test_fragments(server: Child) -> None:
    """A message in pieces, with a ping between them, is one message; the ping is answered first."""
    with server.open() as client:
        letters = "naïve".encode()
        client.send_frame(TEXT, letters[:3], fin=False)
        client.send_frame(PING, b"now")
        client.send_frame(CONTINUATION, letters[3:], fin=False)
        client.send_frame(CONTINUATION)
        first = client.read()
        assert (first.opcode, first.payload) == (PONG, b"now")
        assert client.read_text() == "naïve"


def test_bytes_one_at_a_time(server: Child) -> None:
    """Frames may come in any pieces."""
    with server.open() as client:
        for byte in frame(TEXT, b"slow") + frame(PING, b"p"):
            client.socket.sendall(bytes((byte,)))
        assert {client.read().payload, client.read().payload} == {b"slow", b"p"}


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1007, 1011, 1012, 3000, 3008, 4503, 4999])
def test_close_by_the_client(server: Child, code: int) -> None:
    """A legal close frame is answered by the same code, and the connection ends in order."""
    with server.open() as client:
        assert client.close(code).code == code


def test_close_without_a_code(server: Child) -> None:
    """A close frame may be empty."""
    with server.open() as client:
        client.send_frame(CLOSE)
        assert client.read().opcode == CLOSE
        client.read_end()


@pytest.mark.parametrize(
    "code",
    [
        *range(1000, 1004),
        *range(1007, 1010),
        *range(1011, 1015),
        3000,
        3501,
        3999,
        4000,
        4503,
        4999,
    ],
)
def test_close_by_the_application(server: Child, code: int) -> None:
    """Whatever code a server may send arrives, with its reason."""
    with server.open(f"/close?code={code}&reason=so%20be%20it") as client:
        client.send("go")
        got = client.read()
        assert (got.opcode, got.code, got.reason) == (CLOSE, code, "so be it")
        client.send_frame(CLOSE, got.payload)
        client.read_end()


def test_close_by_the_application_without_a_code(server: Child) -> None:
    """1000 is meant."""
    with server.open("/close") as client:
        client.send("go")
        assert client.read().code == 1000


def test_long_reason(server: Child) -> None:
    """A reason is shortened to what a close frame holds, between two characters."""
    with server.open("/close?code=4000&reason=" + "%C3%A9" * 100) as client:
        client.send("go")
        assert client.read().reason == "é" * 61


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70_000])
def test_code_that_no_server_may_send(server: Child, code: int) -> None:
    """The application is told at once; its connection lives on."""
    with server.open(f"/close?code={code}") as client:
        client.send("go")
        assert str(code) in client.read_text()
        assert client.close().code == 1000


def test_deflate_is_not_negotiated(server: Child) -> None:
    """An offer to compress is passed over, as each message would need work for each member."""
    offer = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
    with server.connect() as client:
        client.socket.sendall(handshake(headers=(offer,)))
        response = client.response()
        assert response.status == 101
        assert "sec-websocket-extensions" not in response.headers
        client.send("plain")
        assert client.read_text() == "plain"


def test_no_traceback(server: Child) -> None:
    """None of this was an error of ours; `server` is the one that all of the above talked to."""
    assert server.stats()["open"] >= 1
    assert "Traceback" not in server.errors()
    assert "ERROR" not in server.errors()
