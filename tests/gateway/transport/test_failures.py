"""Applications that fail, end early, or never do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import CLOSE, handshake


def test_failure_after_accept(serve: Callable[..., Child]) -> None:
    """The client gets 1011 at once, the log the traceback once."""
    server = serve()
    with server.open("/fail?when=after") as client:
        client.send("go")
        got = client.read()
        assert (got.opcode, got.code, got.reason) == (CLOSE, 1011, "internal server error")
        client.send_frame(CLOSE, got.payload)
        client.read_end()
    server.eventually(lambda stats: stats["known"] == 1)
    assert server.errors().count("Traceback") == 1


@pytest.mark.parametrize("path", ["/fail?when=before", "/leave?when=before"])
def test_end_before_accept(serve: Callable[..., Child], path: str) -> None:
    """An application that will never accept is a 500 at once, whether it failed or just ended."""
    server = serve()
    with server.connect() as client:
        client.socket.sendall(handshake(path))
        assert client.response().status == 500
    server.eventually(lambda stats: stats["known"] == 1)
    assert server.errors().count("Traceback") == ("fail" in path)


def test_end_after_accept(server: Child) -> None:
    """An application that has ended hears nothing anymore: its connection is closed in order."""
    with server.open("/leave?when=after") as client:
        client.send("go")
        got = client.read()
        assert (got.opcode, got.code) == (CLOSE, 1000)
        client.send_frame(CLOSE, got.payload)
        client.read_end()


def test_application_that_cancels_itself(server: Child) -> None:
    """Nobody else would ever end its connection."""
    with server.open("/fail?when=cancelled") as client:
        client.send("go")
        assert client.close_by_server() == 1011


def test_client_that_leaves_before_it_is_accepted(server: Child) -> None:
    """What the application sends then goes nowhere, and it is told of the end."""
    before = server.stats()
    client = server.connect()
    client.socket.sendall(handshake("/slow-accept?seconds=0.3"))
    server.eventually(lambda stats: stats["known"] == before["known"] + 1)
    client.socket.close()
    server.eventually(lambda stats: stats["known"] == before["known"])
    assert "Traceback" not in server.errors()


@pytest.mark.thorough
def test_application_that_never_answers(server: Child) -> None:
    """A handshake without an answer is turned down after ten seconds; its application is ended."""
    before = server.stats()
    with server.connect(seconds=15) as client:
        client.socket.sendall(handshake("/slow-accept?seconds=1000"))
        assert client.response().status == 503
        client.read_rest()
    server.eventually(lambda stats: stats["known"] <= before["known"], seconds=15)


@pytest.mark.thorough
def test_application_that_never_ends(server: Child) -> None:
    """It is cancelled ten seconds after its client has left."""
    before = server.stats()
    server.open("/hang").close()
    server.open("/hang").reset()
    server.eventually(lambda stats: stats["known"] <= before["known"], seconds=15)
    assert "did not end in time" in server.errors()
