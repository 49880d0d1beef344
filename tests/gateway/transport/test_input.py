"""What clients send: never more than a little of it waits in the server, whoever sends it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import BINARY, CLOSE, PING, PONG, TEXT, RawClient, frame

# Servers of their own, one after the other.
pytestmark = pytest.mark.thorough

_MOST_GROWTH = 20_000_000
# What two kernels' buffers may hold of it, and the server's own.
_MOST_TAKEN = 32_000_000


@pytest.mark.parametrize("size", [1, 1000, 65_536])
def test_application_that_does_not_read(server: Child, size: int) -> None:
    """Reading pauses, so that the client's sends block; memory does not grow, others are served."""
    before = server.stats()["rss"]
    with server.open("/hang") as client:
        taken = client.fill(frame(TEXT, b"x" * size), most=2 * _MOST_TAKEN)
        assert taken < _MOST_TAKEN
        with server.open() as other:
            other.send("and I?")
            assert other.read_text() == "and I?"
        assert server.stats()["rss"] - before < _MOST_GROWTH


def test_many_that_are_not_read(server: Child) -> None:
    """The bound is for each connection, and small: its kernel's buffers are most of it."""
    before = server.stats()["rss"]
    clients = [server.open("/hang") for _ in range(20)]
    for client in clients:
        client.fill(frame(TEXT, b"x" * 4000), still=0.1, most=4_000_000)
    assert server.stats()["rss"] - before < _MOST_GROWTH
    for client in clients:
        client.socket.close()


def test_10_000_messages_to_an_application_that_does_not_read(server: Child) -> None:
    """So many small ones are less than the kernel's buffers; they wait there."""
    before = server.stats()["rss"]
    with server.open("/hang") as client:
        client.socket.sendall(frame(TEXT, b"small") * 10_000)
        with server.open() as other:
            other.send("and I?")
            assert other.read_text() == "and I?"
        assert server.stats()["rss"] - before < 5_000_000


@pytest.mark.parametrize("size", [1, 5000])
def test_nothing_is_lost_by_a_pause(serve: Callable[..., Child], size: int) -> None:
    """Once the application reads, everything comes, each once and in order, and the close too."""
    server = serve()
    count = 6_000_000 // (size + 200)
    texts = [f"{number} ".ljust(size, "x") for number in range(count)]
    with server.open("/late") as client:
        sent = b"".join(frame(TEXT, text.encode()) for text in texts[: count // 2])
        before = client.fill(sent, still=0.3, most=len(sent))
        server.open("/release").socket.close()
        client.socket.settimeout(20)
        _send_and_read(client, sent[before:], texts[: count // 2])
        assert client.close(1000).code == 1000


def _send_and_read(client: RawClient, data: bytes, texts: list[str]) -> None:
    view, at = memoryview(data), 0
    for text in texts:
        while at < len(view):
            client.socket.setblocking(False)
            try:
                at += client.socket.send(view[at:])
            except BlockingIOError:
                break
            finally:
                client.socket.settimeout(20)
        assert client.read_text() == text
    client.socket.sendall(view[at:])


def test_close_of_a_paused_connection(serve: Callable[..., Child]) -> None:
    """A client that nobody listens to hears the close, and its answer is found behind the rest."""
    server = serve("--drain-seconds", "0.1")
    with server.open("/hang") as client:
        client.socket.sendall(frame(TEXT, b"x" * 100) * 5_000)
        server.eventually(lambda stats: stats["open"] >= 2)
        server.signal()
        got = client.read()
        assert (got.opcode, got.code) == (CLOSE, 1012)
        client.send_frame(CLOSE, got.payload)
        client.read_end()


def test_messages_after_a_close_are_dropped(server: Child) -> None:
    """A client that sends on after our close frame fills nothing and starts nothing."""
    before = server.stats()["rss"]
    with server.open("/close?code=3501") as client:
        client.send("go")
        sent = client.fill(frame(TEXT, b"x" * 60_000), still=0.3, most=100_000_000)
        assert sent < 20_000_000, "it is still read"
        got = client.read()
        assert (got.opcode, got.code) == (CLOSE, 3501)
    assert server.stats()["rss"] - before < _MOST_GROWTH


def test_pings_come_while_the_client_sends(serve: Callable[..., Child]) -> None:
    """What a client sends does not put off its next ping, nor does it count as a pong."""
    server = serve("--ping-seconds", "0.4", "--pong-seconds", "5")
    with server.open() as client:
        started = time.monotonic()
        while len(client.pings) < 4:
            client.send("busy")
            assert client.read_text() == "busy"
            assert time.monotonic() - started < 10
        assert time.monotonic() - started > 3 * 0.4 * 0.9
        assert len(set(client.pings)) == 4


@pytest.mark.parametrize(
    "instead", [frame(TEXT, b"here"), frame(PONG, b"nobody asked"), frame(PONG), frame(PING, b"me")]
)
def test_client_that_never_pongs(serve: Callable[..., Child], instead: bytes) -> None:
    """It is closed with 3012, whatever else it sends."""
    server = serve("--ping-seconds", "0.3", "--pong-seconds", "0.5")
    with server.open() as client:
        client.socket.settimeout(0.05)
        started, data = time.monotonic(), b""
        # The close frame's first bytes: final, 9 bytes long, 3012.
        while b"\x88\x09\x0b\xc4no pong" not in data:
            assert time.monotonic() - started < 10
            client.socket.sendall(instead)
            try:
                data += client.socket.recv(65536)
            except TimeoutError:
                continue


def test_ping_in_the_words_of_a_protocol(serve: Callable[..., Child]) -> None:
    """It comes instead of a ping frame; its answer is a message, and who gives none is closed."""
    server = serve("--ping-seconds", "0.3", "--pong-seconds", "0.5")
    with server.open("/words") as client:
        client.send("hello")
        assert client.read_text() == "not asked"
        for _ in range(3):
            # Pings of the time before it had words of its own may still be there.
            while (got := client.read_frame()).opcode == PING:
                pass
            assert (got.opcode, got.payload) == (TEXT, b"{}")
            client.send("{}")
            assert client.read_text() == "asked"
        while (got := client.read_frame()).opcode != CLOSE:
            assert got.payload == b"{}"
        assert got.code == 3012


def test_pong_that_waits_for_nothing(serve: Callable[..., Child]) -> None:
    """It is heard as it arrives, however long the application takes for what came before it."""
    server = serve("--ping-seconds", "0.2", "--pong-seconds", "0.4")
    with server.open("/busy") as client:
        client.send("this takes long")
        pings = 0
        # Had the first not been heard, it would be the only one.
        while pings < 4:
            got = client.read_frame()
            assert got.opcode in (TEXT, PING)
            if got.opcode == TEXT:
                assert got.payload == b"{}"
                client.send("{}")
                pings += 1
        while (got := client.read_frame()).opcode != CLOSE:
            pass
        assert got.code == 3012


def test_pong_in_bytes(serve: Callable[..., Child]) -> None:
    """The words of a protocol are text: a binary frame with the same is a message, and no pong."""
    server = serve("--ping-seconds", "0.2", "--pong-seconds", "0.4")
    with server.open("/busy") as client:
        client.send("this takes long")
        for _ in range(10):
            if (got := client.read_frame()).opcode == CLOSE:
                break
            client.send_frame(BINARY, b"{}")
        assert got.code == 3012


def test_silent_client_that_never_pongs(serve: Callable[..., Child]) -> None:
    """One that is gone without a word is noticed the same way, and its application is told."""
    server = serve("--ping-seconds", "0.3", "--pong-seconds", "0.5")
    with server.open("/hub/room") as client:
        assert client.read_frame().opcode == PING
        assert client.read_frame().code == 3012
    assert server.eventually(lambda stats: stats["disconnects"] == 1)


def test_pong_behind_what_is_not_read(serve: Callable[..., Child]) -> None:
    """While reading is paused a pong cannot arrive, so its absence means nothing."""
    server = serve("--ping-seconds", "0.3", "--pong-seconds", "0.5")
    with server.open("/hang") as paused:
        paused.fill(frame(TEXT, b"x" * 1000), still=0.2, most=1_000_000)
        with server.open() as silent:
            while (got := silent.read_frame()).opcode == PING:
                pass
            assert got.code == 3012
        paused.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            paused.read(answer_pings=False)


def test_half_closed_client(server: Child) -> None:
    """A client that has shut down its sending side has left."""
    with server.open() as client:
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_rest() == b""


def test_leaving_without_a_word(server: Child) -> None:
    """The end of a connection is told to its application however it came: FIN, RST or close."""
    before = server.stats()
    for leave in (RawClient.reset, lambda client: client.socket.close(), RawClient.close):
        leave(server.open("/hub/leaving"))
    server.eventually(lambda stats: stats["disconnects"] == before["disconnects"] + 3)
    assert server.eventually(lambda stats: stats["known"] <= before["known"])
    assert server.stats()["members"]["leaving"] == 0
