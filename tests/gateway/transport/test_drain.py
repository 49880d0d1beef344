"""The end of a gateway: everybody is told, everything is put away, nobody new is taken."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import CLOSE, TEXT, RawClient, frame, handshake

# Servers of their own, one after the other.
pytestmark = pytest.mark.thorough

_MANY = 200


def _members(server: Child, count: int) -> list[RawClient]:
    return [server.open("/hub/all") for _ in range(count)]


def test_drain(serve: Callable[..., Child]) -> None:
    """Each client gets a close frame that says why; all handlers run; the status is 0."""
    server = serve("--drain-seconds", "1")
    clients = _members(server, _MANY)
    server.eventually(lambda stats: stats["members"]["all"] == _MANY)
    server.signal()
    for client in clients:
        got = client.read()
        assert (got.opcode, got.code, got.reason) == (CLOSE, 1012, "restart: connect again")
        client.send_frame(CLOSE, got.payload)
    for client in clients:
        client.read_end()
    words = server.last_words()
    assert server.process.returncode == 0
    assert (words["connects"], words["disconnects"]) == (_MANY, _MANY)
    assert (words["known"], words["members"]["all"]) == (0, 0)
    assert "Traceback" not in server.errors()


def test_farewell_of_its_own(serve: Callable[..., Child]) -> None:
    """A protocol that has words of its own for a restart says them."""
    server = serve("--drain-seconds", "1")
    client = server.open("/words")
    client.send_frame(TEXT, b"{}")
    assert client.read().payload == b"not asked"
    server.signal()
    assert client.read().payload == b"farewell"
    got = client.read()
    assert (got.opcode, got.code, got.reason) == (CLOSE, 3001, "shutdown")
    client.send_frame(CLOSE, got.payload)
    client.read_end()
    server.last_words()
    assert server.process.returncode == 0


def test_drain_spreads(serve: Callable[..., Child]) -> None:
    """Clients are sent away one after the other, so that they do not come back all at once."""
    server = serve("--drain-seconds", "1")
    clients = _members(server, 60)
    server.signal()
    first = time.monotonic()
    arrivals = []
    waiting = {client.socket.fileno(): client for client in clients}
    for client in clients:
        client.socket.setblocking(False)
    while waiting:
        for number, client in list(waiting.items()):
            try:
                client.socket.recv(1)
            except BlockingIOError:
                continue
            del waiting[number]
            arrivals.append(time.monotonic() - first)
            client.socket.close()
        time.sleep(0.01)
    arrivals.sort()
    assert arrivals[-1] - arrivals[0] > 0.6
    assert arrivals[len(arrivals) // 2] - arrivals[0] > 0.2


def test_drain_of_nobody(serve: Callable[..., Child]) -> None:
    """A gateway without connections is gone within a moment, however long a drain may take."""
    server = serve("--drain-seconds", "60")
    started = time.monotonic()
    server.signal()
    server.last_words()
    assert server.process.returncode == 0
    assert time.monotonic() - started < 5


def test_drain_of_those_that_do_not_answer(serve: Callable[..., Child]) -> None:
    """Neither a client that ignores its close frame nor one that does not read is waited for."""
    server = serve("--drain-seconds", "0.2")
    silent = server.open("/hub/all")
    stalled = server.connect(receive_buffer=64 * 1024).open("/flood")
    unheard = server.open("/hang")
    unheard.socket.sendall(frame(TEXT, b"x" * 1000) * 500)
    arriving = server.connect()
    arriving.socket.sendall(b"GET / HTTP/1.1\r\n")
    server.eventually(lambda stats: stats["flooded"] > 10)
    started = time.monotonic()
    server.signal()
    assert silent.read().code == 1012
    words = server.last_words()
    assert time.monotonic() - started < 6
    assert server.process.returncode == 0
    assert words["disconnects"] == 1
    for client in (silent, stalled, unheard, arriving):
        client.socket.close()


def test_no_new_connections(serve: Callable[..., Child]) -> None:
    """While it drains nobody gets in, be it by a new connection or one that was open before."""
    server = serve("--drain-seconds", "2")
    early, clients = server.connect(), _members(server, 50)
    server.eventually(lambda stats: stats["members"]["all"] == 50)
    server.signal()
    assert clients[0].read().code == 1012
    early.socket.sendall(handshake())
    assert early.response().status == 503
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    server.kill()


def test_handshake_under_way(serve: Callable[..., Child]) -> None:
    """One that is accepted after the drain began is told to go, too."""
    server = serve("--drain-seconds", "0.1")
    with server.connect() as client:
        client.socket.sendall(handshake("/slow-accept?seconds=0.5"))
        server.eventually(lambda stats: stats["known"] == 2)
        server.signal()
        assert client.response().status == 101
        assert client.close_by_server() == 1012
    server.last_words()
    assert server.process.returncode == 0


def test_what_was_sent_before_arrives(serve: Callable[..., Child]) -> None:
    """A close frame is the last thing a client gets, behind what was on its way."""
    server = serve("--drain-seconds", "0.1")
    with server.open("/hub/all") as client:
        client.send("burst all 1000 text")
        assert client.read_text() == "text 0"
        server.signal()
        for number in range(1, 1000):
            assert client.read_text() == f"text {number}"
        assert client.close_by_server() == 1012


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal(serve: Callable[..., Child], number: int) -> None:
    """Who tells it twice does not want to wait."""
    server = serve("--drain-seconds", "60")
    clients = _members(server, _MANY)
    server.eventually(lambda stats: stats["members"]["all"] == _MANY)
    server.signal(number)
    server.eventually_logs("Draining")
    started = time.monotonic()
    server.signal(number)
    server.last_words()
    assert time.monotonic() - started < 1
    assert server.process.returncode == 0
    for client in clients:
        client.socket.close()


def test_connection_that_cannot_be_closed(serve: Callable[..., Child]) -> None:
    """It is dropped and told of; the others get their close frames, and the server ends."""
    server = serve("--drain-seconds", "0.5")
    broken = server.open("/unclosable/all")
    clients = _members(server, 20)
    server.eventually(lambda stats: stats["members"]["all"] == 21)
    server.signal()
    for client in clients:
        assert client.close_by_server() == 1012
    with pytest.raises(ConnectionResetError):
        broken.read_end()
    server.last_words()
    assert server.process.returncode == 0
    assert server.errors().count("could not be closed") == 1


def test_application_that_does_not_end(serve: Callable[..., Child]) -> None:
    """It is cancelled, given a moment and left."""
    server = serve("--drain-seconds", "0.1")
    client = server.open("/stubborn")
    server.signal()
    assert client.close_by_server() == 1012
    server.last_words(seconds=10)
    assert server.process.returncode == 0
    assert "1 applications did not end" in server.errors()


def test_third_signal(serve: Callable[..., Child]) -> None:
    """Who tells it again while something does not end leaves that behind."""
    server = serve("--drain-seconds", "60")
    client = server.open("/stubborn")
    server.signal()
    server.eventually_logs("Draining")
    server.signal()
    server.eventually_logs("a second time")
    server.signal()
    assert server.process.wait(10) == 1
    assert "what is still being put away is left" in server.errors()
    client.socket.close()


def test_thread_that_hangs(serve: Callable[..., Child]) -> None:
    """A thread that waits for a database, say, does not keep the process."""
    server = serve("--drain-seconds", "0.1")
    client = server.open("/thread?sleep=60")
    server.signal()
    assert client.close_by_server() == 1012
    server.last_words(seconds=10)
    assert server.process.returncode == 0


def test_signal_after_a_drain_over_http(serve: Callable[..., Child]) -> None:
    """Who asked for a drain before the first signal comes has not asked for an end at once."""
    server = serve("--drain-seconds", "1")
    clients = _members(server, 60)
    server.eventually(lambda stats: stats["members"]["all"] == 60)
    asking = server.open("/drain")
    asking.send("now")
    server.eventually_logs("Draining")
    server.signal()
    for client in clients:
        assert client.close_by_server() == 1012
    asking.socket.close()
    server.last_words()
    assert server.process.returncode == 0
    assert "a second time" not in server.errors()
