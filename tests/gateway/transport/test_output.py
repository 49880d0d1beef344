"""What applications send: they wait for their clients, and only for their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import BINARY, CLOSE, RawClient, close_payload

_MOST_GROWTH = 20_000_000
_SIZE = 16 * 1024
# What two kernels' buffers may hold.
_MOST_SENT = 32_000_000


@pytest.fixture(scope="module", params=["fast", "long way"])
def either(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Child]:
    """A server with the fast path, and one without."""
    # A client that takes nothing cannot answer a ping either, which would end it first.
    arguments = ["--ping-seconds", "600", *(["--long-way"] if request.param == "long way" else [])]
    child = Child(tmp_path_factory.mktemp("server"), *arguments)
    yield child
    child.kill()


def _flooded(server: Child) -> int:
    """Wait until the application's sends wait, and return how many have not."""
    last = -1

    def has_stopped(stats: dict[str, int]) -> bool:
        nonlocal last
        same, last = stats["flooded"] == last, stats["flooded"]
        return same and last > 0

    return server.eventually(has_stopped)["flooded"]


def test_application_that_floods_who_does_not_read(either: Child) -> None:
    """Its `send` waits until there is room: memory does not grow, others are served."""
    before = either.stats()
    with either.connect(receive_buffer=64 * 1024).open(f"/flood?bytes={_SIZE}") as client:
        flooded = _flooded(either)
        assert (flooded - before["flooded"]) * _SIZE < _MOST_SENT
        assert either.stats()["rss"] - before["rss"] < _MOST_GROWTH
        with either.open() as other:
            other.send("and I?")
            assert other.read_text() == "and I?"
        for _ in range(flooded - before["flooded"] + 10):
            got = client.read()
            assert (got.opcode, len(got.payload)) == (BINARY, _SIZE)
    assert "Traceback" not in either.errors()


@pytest.mark.parametrize("leave", [RawClient.reset, RawClient.close])
def test_application_that_floods_who_has_left(
    either: Child, leave: Callable[[RawClient], None]
) -> None:
    """It may go on for a while, but not at the others' cost."""
    with either.open(f"/flood?bytes={_SIZE}") as client:
        client.read()
        leave(client)
    with either.open(f"/flood?bytes={_SIZE}") as client:
        client.read()
        client.send_frame(CLOSE, close_payload(1000))
    for _ in range(20):
        with either.open() as other:
            other.send("and I?")
            assert other.read_text() == "and I?"
    assert "Traceback" not in either.errors()


@pytest.mark.thorough
def test_application_that_floods_who_has_left_is_ended(serve: Callable[..., Child]) -> None:
    """It is cancelled ten seconds after."""
    server = serve()
    with server.open(f"/flood?bytes={_SIZE}") as client:
        client.read()
    server.eventually(lambda stats: stats["flood_ends"] == ["CancelledError"])


def test_close_of_who_does_not_read(either: Child) -> None:
    """A client that asks for the end but does not take what it was sent is not waited for."""
    before = either.eventually(lambda stats: stats["open"] == 1)
    with either.connect(receive_buffer=64 * 1024).open("/hub/room") as client:
        client.send("catch-up 200 " + "x" * 50_000)
        client.send_frame(CLOSE, close_payload(1000))
        either.eventually(lambda stats: stats["disconnects"] == before["disconnects"] + 1)


@pytest.mark.thorough
def test_application_that_floods_a_stalled_client(either: Child) -> None:
    """A client that takes nothing for ten seconds is closed as slow, behind what it was sent."""
    before = either.stats()
    with either.connect(receive_buffer=64 * 1024).open(f"/flood?bytes={_SIZE}") as client:
        either.eventually(lambda stats: stats["open"] == before["open"], seconds=25)
        assert client.read_close().code == 3008


def test_order_of_all_ways(server: Child) -> None:
    """ASGI messages, a wire's frames and a group's arrive in the order they were sent."""
    with server.open("/hub/order") as client:
        for number in range(100):
            client.send(f"publish order a{number}")
            client.send(f"reply b{number}")
            client.send(f"wire c{number}")
        for number in range(100):
            texts = [client.read_text() for _ in range(3)]
            assert texts == [f"a{number}", f"b{number}", f"c{number}"]
