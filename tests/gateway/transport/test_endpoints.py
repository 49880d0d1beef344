"""Every way to a client keeps the same promises: the fast path, the long way, unix sockets, TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.endpoints import TlsChild, UnixChild
from tests.gateway.transport.rawclient import BINARY, CLOSE, TEXT, RawClient, frame

_SLOW = 3008
_SIZE = 16 * 1024
_MOST_GROWTH = 20_000_000
# What two kernels' buffers may hold of one connection.
_MOST_SENT = 32_000_000

_MAKES: dict[str, Callable[[Path], Child]] = {
    "fast": lambda folder: Child(folder, *_TIMES),
    "long way": lambda folder: Child(folder, *_TIMES, "--long-way"),
    "unix": lambda folder: UnixChild(folder, *_TIMES),
    "unix, long way": lambda folder: UnixChild(folder, *_TIMES, "--long-way"),
    "tls": lambda folder: TlsChild(folder, *_TIMES),
}
# Who takes nothing cannot answer pings either, for which it would be closed sooner.
_TIMES = ("--ping-seconds", "600", "--stall-seconds", "2")


@pytest.fixture(scope="module", params=_MAKES)
def way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Child]:
    child = _MAKES[request.param](tmp_path_factory.mktemp("server"))
    yield child
    child.kill()


@pytest.fixture(scope="module")
def unix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    child = UnixChild(tmp_path_factory.mktemp("server"))
    yield child
    child.kill()


def _hub(server: Child, group: str, **how: int) -> RawClient:
    """Return a client that has joined a group."""
    client = server.connect(**how).open(f"/hub/{group}")
    client.send("count")
    assert int(client.read_text()) > 0
    return client


def test_echo(way: Child) -> None:
    """Text and bytes of all sizes come back whole, and the close is told."""
    with way.open() as client:
        for size in (0, 1, 125, 126, 65_535):
            client.send("x" * size)
            assert client.read_text() == "x" * size
            client.send(b"y" * size)
            got = client.read()
            assert (got.opcode, got.payload) == (BINARY, b"y" * size)
        assert client.close().code == 1000


def test_close_by_the_server(way: Child) -> None:
    """It is told, and when it is over nobody comes back to it."""
    with way.open("/close?code=3000") as client:
        client.send("go")
        assert client.close_by_server() == 3000
    # It would be reset two seconds later, had it not ended; another one's deadline tells when.
    with way.open("/close?code=3001") as unheard:
        unheard.send("go")
        assert unheard.read().code == 3001
        way.eventually(lambda stats: stats["open"] == 1)
        assert way.eventually(lambda stats: stats["known"] == 1)
    assert "Traceback" not in way.errors()


def test_message_longer_than_those_of_clients(way: Child) -> None:
    """The limit of 64 KiB is for clients: what is published may be longer."""
    with way.open("/flood?bytes=200000") as client:
        for _ in range(3):
            assert client.read().payload == bytes(200_000)
    assert "Traceback" not in way.errors()


def test_order(way: Child) -> None:
    """What groups send and what is sent to one client alone arrive in the order of sending."""
    with _hub(way, "order") as one, _hub(way, "order") as other:
        for number in range(0, 300, 3):
            one.socket.sendall(
                frame(TEXT, f"publish order {number}".encode())
                + frame(TEXT, f"wire {number + 1}".encode())
                + frame(TEXT, f"burst order 3 {number + 2}".encode())
            )
        for number in range(0, 300, 3):
            bursts = [f"{number + 2} {each}" for each in range(3)]
            assert [one.read_text() for _ in range(5)] == [str(number), str(number + 1), *bursts]
            assert [other.read_text() for _ in range(4)] == [str(number), *bursts]


def test_large_frames_in_order(way: Child) -> None:
    """A client that pauses for a moment gets everything after it, nothing twice."""
    texts = [f"{number} " + "x" * _SIZE for number in range(15)]
    with _hub(way, "large", receive_buffer=16 * 1024) as reader, _hub(way, "large") as publisher:
        for text in texts:
            publisher.send(f"publish large {text}")
        assert [publisher.read_text() for _ in texts] == texts
        assert [reader.read_text() for _ in texts] == texts


def test_reader_that_stops(way: Child) -> None:
    """It is closed with 3008, behind a beginning of what it was sent; others get all of it."""
    with _hub(way, "stop", receive_buffer=16 * 1024) as stopped, _hub(way, "stop") as other:
        joined = way.eventually(lambda stats: stats["members"]["stop"] == 2)["open"]
        texts = [f"{number} " + "x" * _SIZE for number in range(600)]
        for text in texts:
            other.send(f"publish stop {text}")
            assert other.read_text() == text
        way.eventually(lambda stats: stats["open"] < joined)
        got = []
        while (message := stopped.read()).opcode != CLOSE:
            got.append(message.text)
        assert message.code == _SLOW
        assert got == texts[: len(got)]
        other.send("publish stop done")
        assert other.read_text() == "done"
    way.eventually(lambda stats: stats["members"]["stop"] == 0)
    assert "Traceback" not in way.errors()


def test_application_feels_its_client(way: Child) -> None:
    """Its sends wait for a client that does not read: memory stays, and others are served."""
    before = way.stats()
    with way.connect(receive_buffer=64 * 1024).open(f"/flood?bytes={_SIZE}") as client:
        way.eventually(lambda stats: stats["flooded"] > before["flooded"])
        with way.open() as other:
            other.send("and I?")
            assert other.read_text() == "and I?"
        stats = way.eventually(lambda stats: stats["open"] == before["open"])
        assert (stats["flooded"] - before["flooded"]) * _SIZE < _MOST_SENT
        assert stats["rss"] - before["rss"] < _MOST_GROWTH
        assert client.read_close().code == _SLOW


def test_input_is_paused(way: Child) -> None:
    """What an application does not take stays with its client."""
    before = way.stats()["rss"]
    with way.open("/hang") as client:
        assert client.fill(frame(TEXT, b"x" * 1000), still=0.3, most=_MOST_SENT) < _MOST_SENT
        assert way.stats()["rss"] - before < _MOST_GROWTH


def test_unix_sockets_are_fast(unix: Child) -> None:
    """Groups write to them as to TCP's."""
    with unix.open() as client:
        client.send("1")
        assert client.read_text() == "1"
        stats = unix.stats()
        assert stats["fast"] == stats["open"] == 2


def test_tls_is_not_fast(tmp_path: Path) -> None:
    """What goes to its socket is encrypted for each."""
    server = TlsChild(tmp_path)
    try:
        with server.open("/echo") as client:
            client.send("one more than the one that asks")
            assert client.read_text() == "one more than the one that asks"
            assert server.stats()["open"] == 2
        assert server.stats()["fast"] == 0
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("headers", "client"),
    [((), None), ((("X-Real-IP", "203.0.113.9"),), ["203.0.113.9", 0])],
    ids=["none", "named"],
)
def test_address_behind_a_unix_socket(
    unix: Child, headers: tuple[tuple[str, str], ...], client: list[object] | None
) -> None:
    """Whoever may open it is a proxy of ours; it has no address of its own."""
    with unix.open("/scope", headers=headers) as told:
        assert told.read_json()["client"] == client


@pytest.mark.parametrize("make", [UnixChild, TlsChild], ids=["unix", "tls"])
def test_drain(make: type[Child], tmp_path: Path) -> None:
    """Clients are sent away, and the process ends, as with a port."""
    server = make(tmp_path, "--drain-seconds", "0.1")
    try:
        with server.open() as client:
            server.signal()
            assert client.close_by_server() == 1012
        assert server.last_words()["open"] == 0
        assert server.process.returncode == 0
    finally:
        server.kill()
