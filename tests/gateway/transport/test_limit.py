"""How many connections there may be at once, and what becomes of one more."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import RawClient, Response, handshake

# The server's own reserve for them.
_ARRIVALS = 100


def _ask(server: Child, data: bytes) -> Response:
    with server.connect() as client:
        client.socket.sendall(data)
        response = client.response()
        with suppress(ConnectionResetError):
            client.read_rest()
        return response


def test_one_more_than_the_limit(serve: Callable[..., Child]) -> None:
    """It gets 503 and when to try again, before the application hears of it; then there is room."""
    server = serve("--limit", "3")
    # That of the counts is the third.
    assert server.stats()["counted"]["connections_limit"] == 3
    with server.open() as staying:
        leaving = server.open()
        for _ in range(5):
            response = _ask(server, handshake("/hub/room"))
            assert response.status == 503
            assert int(response.headers["retry-after"]) > 0
        stats = server.stats()
        assert stats["counted"]["handshakes_rejected_total_capacity"] == 5
        assert stats["connects"] == 0
        leaving.close()
        with server.open("/hub/room"):
            server.eventually(lambda stats: stats["connects"] == 1)
        staying.send("still there?")
        assert staying.read_text() == "still there?"


def test_room_of_who_leaves_is_given_back(serve: Callable[..., Child]) -> None:
    """However a connection ends, or a handshake, the next one has its place."""
    server = serve("--limit", "3")
    server.stats()
    for _ in range(3):
        server.open().close()
        server.open().reset()
        server.open("/close?code=4000").send("end")
        server.open("/hang").reset()
        assert _ask(server, handshake("/refuse")).status == 403
        assert _ask(server, handshake("/status?code=404")).status == 404
        assert _ask(server, handshake("/fail?when=before")).status == 500
        assert _ask(server, handshake("/\xff")).status == 400
        assert _ask(server, handshake(sec_websocket_key="c2hvcnQ=")).status == 400
        server.eventually(lambda stats: stats["open"] == 1)
    with server.open() as one, server.open() as other:
        for client in (one, other):
            client.send("1")
            assert client.read_text() == "1"
        assert _ask(server, handshake()).status == 503


def test_refusals_are_counted_once_each(serve: Callable[..., Child]) -> None:
    """What is no handshake is refused as that, whoever finds it out."""
    server = serve()
    before = server.stats()["counted"].get("handshakes_rejected_total_protocol", 0)
    for data in (
        handshake(protocol="HTTP/1.0"),
        handshake(method="POST"),
        handshake(sec_websocket_version="8"),
        handshake(sec_websocket_key="c2hvcnQ="),
    ):
        assert _ask(server, data).status >= 400
    assert server.stats()["counted"]["handshakes_rejected_total_protocol"] == before + 4
    # The application counts its own.
    assert _ask(server, handshake("/refuse")).status == 403
    assert server.stats()["counted"]["handshakes_rejected_total_protocol"] == before + 4


def test_sockets_that_say_nothing(serve: Callable[..., Child]) -> None:
    """Beyond the limit and a reserve they are cut, so that descriptors are left for the rest."""
    server = serve("--limit", "2")
    server.stats()
    with ExitStack() as stack:
        cut = 0
        silent = []
        for _ in range(_ARRIVALS + 10):
            # A busy machine may see the reset before `connect` has returned.
            try:
                silent.append(stack.enter_context(server.connect()))
            except ConnectionResetError:
                cut += 1
        cut += sum(_is_cut(client) for client in silent)
        assert cut >= 8
        # Those that are there are served all the same.
        server.stats()
    with server.open() as client:
        client.send("and now?")
        assert client.read_text() == "and now?"


def _is_cut(client: RawClient) -> bool:
    client.socket.settimeout(0.05)
    try:
        return client.socket.recv(1, socket.MSG_PEEK) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def test_duration_of_connections(serve: Callable[..., Child]) -> None:
    """Each connection that was accepted is measured at its end, and no other is."""
    server = serve()
    server.open().close()
    server.open().reset()
    assert _ask(server, handshake("/refuse")).status == 403
    counted = server.eventually(
        lambda stats: stats["counted"]["connection_duration_seconds_count"] >= 2
    )["counted"]
    assert counted["connection_duration_seconds_count"] == 2
    assert 0 < counted["connection_duration_seconds_sum"] < 20
