"""Readers that are slow, or have stopped: they are closed, and cost the others nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.protocol import Protocol

from services.gateway.transport.sockets import GatewaySocket
from tests.gateway.transport.child import Child
from tests.gateway.transport.listeners import Listener, read_all

_SLOW = 3008
# With the stopped one, more than are written to at once.
_OTHERS = 10
_SIZE = 16 * 1024
# 256 KiB in the server, and far more than what two kernels keep of one connection.
_MOST_FRAMES = 2_000
_MOST_GROWTH = 20 * 1024 * 1024


def _text(number: int, size: int = _SIZE) -> str:
    return f"{number} " + "x" * size


def _open(server: Child, group: str, count: int, **how: int) -> list[Listener]:
    listeners = [Listener(server, f"/hub/{group}", **how) for _ in range(count)]
    read_all(listeners, lambda: all(each.is_open for each in listeners))
    return listeners


def _close(server: Child, group: str, listeners: list[Listener]) -> None:
    for each in listeners:
        each.socket.close()
    server.eventually(lambda stats: not stats["members"][group])


def test_reader_that_stops_is_closed(server: Child) -> None:
    """At 256 KiB, with 3008 behind what it was sent; others get all, and memory stays."""
    others = _open(server, "stop", _OTHERS)
    (stopped,) = _open(server, "stop", 1, receive_buffer=16 * 1024)
    server.eventually(lambda stats: stats["members"]["stop"] == _OTHERS + 1)
    before = server.stats()
    texts: list[str] = []
    while server.stats()["members"]["stop"] > _OTHERS:
        assert len(texts) < _MOST_FRAMES, "it is never closed"
        texts.append(_text(len(texts)))
        others[0].say(f"publish stop {texts[-1]}")
        read_all(others, lambda: all(len(each.texts) == len(texts) for each in others))
    assert server.stats()["rss"] - before["rss"] < _MOST_GROWTH
    read_all([stopped], lambda: stopped.has_ended or stopped.code is not None)
    assert stopped.code == _SLOW
    assert stopped.texts == texts[: len(stopped.texts)]
    assert len(stopped.texts) * _SIZE > 256 * 1024
    assert all(each.texts == texts for each in others)
    stopped.socket.close()
    _close(server, "stop", others)


def _fill(server: Child, group: str, reader: Listener, publisher: Listener) -> list[str]:
    """Publish, and have the reader answered, until something waits for it in the server."""
    texts: list[str] = []
    idle = server.stats()["busy"]
    # More than for a moment: it is busy in each step, until its socket has taken everything.
    while any(server.stats()["busy"] == idle for _ in range(5)):
        assert len(texts) < 2 * _MOST_FRAMES, "nothing ever waits"
        texts += [_text(len(texts)), f"{len(texts) + 1}"]
        # In one piece: the reply follows what the group has only been about to send.
        reader.say(f"publish {group} {texts[-2]}", f"wire {texts[-1]}")
        read_all([publisher], lambda: len(publisher.texts) == len(texts) // 2)
    return texts


@pytest.mark.thorough
def test_reader_that_takes_nothing_for_10_seconds_is_closed(serve: Callable[..., Child]) -> None:
    """However little waits for it."""
    # Nor does it answer pings, for which it would be closed sooner.
    server = serve("--ping-seconds", "600")
    others = _open(server, "stall", _OTHERS)
    (stalled,) = _open(server, "stall", 1, receive_buffer=16 * 1024)
    server.eventually(lambda stats: stats["members"]["stall"] == _OTHERS + 1)
    texts = _fill(server, "stall", stalled, others[0])
    read_all(
        others,
        lambda: server.stats()["members"]["stall"] == _OTHERS,
        seconds=14,
    )
    read_all([stalled], lambda: stalled.has_ended or stalled.code is not None)
    assert stalled.code == _SLOW
    assert stalled.texts == texts
    assert all(each.texts == texts[::2] for each in others)
    stalled.socket.close()
    _close(server, "stall", others)


def test_catch_up_to_a_slow_reader(server: Child) -> None:
    """Half a megabyte that was missed in a channel is not too much; what comes then follows it."""
    others = _open(server, "late", _OTHERS)
    (late,) = _open(server, "late", 1, receive_buffer=16 * 1024)
    server.eventually(lambda stats: stats["members"]["late"] == _OTHERS + 1)
    expected = _fill(server, "late", late, others[0])
    # Several, because a kernel that does not ask for more still takes a megabyte when tried.
    for channel in range(6):
        late.say(f"catch-up 32 {channel} {'m' * _SIZE}")
        expected += [f"{channel} {'m' * _SIZE} {number}" for number in range(32)]
    late.say("publish late done")
    expected.append("done")
    read_all(others, lambda: all(each.texts[-1] == "done" for each in others))
    published: list[str] = []
    while not late.has_ended and len(late.texts) < len(expected):
        # As much as it takes in the same time, so that it never gets ahead.
        if len(published) < 100:
            published.append(_text(len(published), 1_000))
            expected.append(published[-1])
            others[0].say(f"publish late {published[-1]}")
            read_all(others, lambda: all(each.texts[-1:] == published[-1:] for each in others))
        late.read(most=4_000)
    assert late.code is None
    assert late.texts == expected
    _close(server, "late", [*others, late])


def test_pages_for_a_slow_reader(server: Child) -> None:
    """Where each waits for room, one is on its way, however many are wanted; all of them arrive."""
    (late,) = _open(server, "pages", 1, receive_buffer=16 * 1024)
    before = server.stats()
    pages, size = 80, 512 * 1024
    late.say(f"pages {pages} {size}")
    read_all([late], lambda: bool(late.texts))
    assert server.stats()["rss"] - before["rss"] < _MOST_GROWTH
    read_all([late], lambda: len(late.texts) == pages)
    assert [len(text) - size for text in late.texts] == [2] * 10 + [3] * (pages - 10)
    assert late.code is None
    _close(server, "pages", [late])


def test_others_stay_in_time_when_many_stop(server: Child) -> None:
    """Half of a group stops; the other half gets everything, and the first half its 3008."""
    others = _open(server, "half", _OTHERS)
    stopped = _open(server, "half", _OTHERS, receive_buffer=16 * 1024)
    server.eventually(lambda stats: stats["members"]["half"] == 2 * _OTHERS)
    texts: list[str] = []
    while server.stats()["members"]["half"] > _OTHERS:
        assert len(texts) < _MOST_FRAMES, "they are never closed"
        new = [_text(len(texts) + number, 60_000) for number in range(3)]
        texts += new
        others[0].say(*(f"publish half {text}" for text in new))
        read_all(others, lambda: all(len(each.texts) == len(texts) for each in others))
    read_all(stopped, lambda: all(each.code == _SLOW for each in stopped))
    assert all(each.texts == texts for each in others)
    assert all(each.texts == texts[: len(each.texts)] for each in stopped)
    for each in stopped:
        each.socket.close()
    _close(server, "half", others)


class _Watched:
    """What a socket tells its connection."""

    is_busy = False

    def __init__(self) -> None:
        self.watched = 0

    def make_busy(self) -> None:
        self.is_busy = True

    def watch_stall(self) -> None:
        self.watched += 1

    def drained(self) -> None:
        self.is_busy = False

    def cut(self) -> None:
        pass


def test_stall_is_watched_for_wherever_bytes_begin_to_wait() -> None:
    """Also where a connection is busy already, as one is that has just caught up with a group."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        transport: Any = GatewaySocket(ours, Protocol(), ("127.0.0.1", 0), None, 0, reactor)
        transport.wire = watched = _Watched()
        for times in (1, 2):
            watched.make_busy()
            transport.write(b"1")
            transport.write(b"2")
            assert watched.watched == times
            assert transport.took_at
            transport.doWrite()
            assert not watched.is_busy
        transport.stopReading()


@pytest.mark.thorough
def test_many_stop_and_start(serve: Callable[..., Child]) -> None:
    """Nobody who reads in the end is closed for having paused."""
    server = serve()
    readers = _open(server, "pause", 2 * _OTHERS, receive_buffer=16 * 1024)
    server.eventually(lambda stats: stats["members"]["pause"] == 2 * _OTHERS)
    texts: list[str] = []
    for step in range(60):
        new = [_text(len(texts) + number, 20_000) for number in range(8)]
        texts += new
        readers[0].say(*(f"publish pause {text}" for text in new))
        # A third of them rests in each step, and reads in the next.
        awake = [each for number, each in enumerate(readers) if number % 3 != step % 3]
        read_all(awake, lambda: all(len(each.texts) == len(texts) for each in awake))
    read_all(readers, lambda: all(len(each.texts) >= len(texts) for each in readers))
    assert all(each.texts == texts and each.code is None for each in readers)
    _close(server, "pause", readers)
