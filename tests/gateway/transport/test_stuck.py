"""Applications that take nothing, and clients that take nothing: each is closed for what it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import CLOSE, TEXT, frame, handshake

_SECONDS = "0.5"
# Longer than it takes to notice.
_STILL = 1.2


def test_application_that_hangs(serve: Callable[..., Child]) -> None:
    """When its client has waited for it long enough it is cancelled, and its client closed."""
    server = serve("--pause-seconds", _SECONDS)
    with server.open("/hang") as client:
        client.socket.sendall(frame(TEXT, b"anybody there?") * 100)
        got = client.read_close()
        assert (got.code, got.reason) == (1011, "the application hangs")
        client.send_frame(CLOSE, got.payload)
        client.read_end()
    stats = server.eventually(lambda stats: stats["known"] == 1)
    assert stats["counted"]["applications_cancelled_total_stuck"] == 1
    assert "Traceback" not in server.errors()
    lines = [line for line in server.errors().splitlines() if "took nothing" in line]
    assert len(lines) == 1
    assert "WARNING" in lines[0]


def test_application_that_hangs_while_its_client_sends_on(serve: Callable[..., Child]) -> None:
    """A client that is blocked in sending has its connection ended, too."""
    server = serve("--pause-seconds", _SECONDS)
    with server.open("/hang") as client, pytest.raises(ConnectionError):
        client.fill(frame(TEXT, b"x" * 10_000), still=15)
    server.eventually(lambda stats: stats["known"] == 1)
    assert "Traceback" not in server.errors()


def test_application_that_hangs_without_input(serve: Callable[..., Child]) -> None:
    """Nobody waits for one whose client sends little."""
    server = serve("--pause-seconds", "0.1")
    with server.open("/hang") as client:
        client.send("nothing that would fill the inbox")
        client.socket.settimeout(_STILL)
        with pytest.raises(TimeoutError):
            client.read()


def test_application_that_is_slow(serve: Callable[..., Child]) -> None:
    """While it takes something now and then it is left alone, however long reading is paused."""
    server = serve("--pause-seconds", _SECONDS)
    with server.open("/sip?seconds=0.15") as client:
        client.socket.sendall(frame(TEXT, b"x") * 100)
        client.socket.settimeout(2 * _STILL)
        with pytest.raises(TimeoutError):
            client.read()
        assert "took nothing" not in server.errors()


def test_application_that_waits_for_its_client(serve: Callable[..., Child]) -> None:
    """It takes nothing because its client takes nothing: that is not its fault."""
    server = serve("--pause-seconds", _SECONDS)
    with server.connect(receive_buffer=16 * 1024).open("/echo") as client:
        text = b"x" * 10_000
        sent = client.fill(frame(TEXT, text), still=_STILL)
        assert "took nothing" not in server.errors()
        for _ in range(sent // len(frame(TEXT, text))):
            assert client.read().payload == text


@pytest.mark.parametrize("arguments", [(), ("--long-way",)], ids=["fast", "long way"])
def test_client_that_takes_nothing_when_its_pong_is_late(
    serve: Callable[..., Child], arguments: tuple[str, ...]
) -> None:
    """It is a slow reader, whose ping may not even have reached it."""
    server = serve("--ping-seconds", "1", "--pong-seconds", "4", *arguments)
    with server.connect(receive_buffer=16 * 1024).open("/flood") as client:
        # Closed sooner than for a stall, which takes ten seconds.
        server.eventually(lambda stats: stats["flooded"] > 0 and stats["open"] == 1, seconds=9)
        assert client.read_close().code == 3008


@pytest.mark.parametrize("arguments", [(), ("--long-way",)], ids=["fast", "long way"])
def test_client_that_reads_and_does_not_answer(
    serve: Callable[..., Child], arguments: tuple[str, ...]
) -> None:
    """However much is on its way to it, what is missing is its pong."""
    server = serve("--ping-seconds", "1", "--pong-seconds", "2", *arguments)
    with server.open("/flood?bytes=400000") as client:
        while (got := client.read(answer_pings=False)).opcode != CLOSE:
            pass
        assert got.code == 3012


def test_event_loop_that_hangs_while_clients_arrive(serve: Callable[..., Child]) -> None:
    """Nobody is a slow reader for what the server had no time to write."""
    # It is looked at after a fifth of this.
    server = serve("--stall-seconds", "2", "--ping-seconds", "600")
    for _ in range(3):
        with ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(20)]
            for client in clients:
                client.socket.sendall(handshake("/block?block=0.03"))
            for client in clients:
                assert client.response().status == 101
                client.send("in time?")
                assert client.read_text() == "in time?"
