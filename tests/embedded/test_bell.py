from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.embedded import bell
from services.gateway.runtime import Gateway
from shared.broker.wire import FanOut, Published
from shared.realtime.positions import Position
from tests.gateway.conftest import gateway

__all__ = ["gateway"]

pytestmark = pytest.mark.django_db(transaction=True)


class Member:
    """A connection that tells which thread it was written to in."""

    wire = None

    def __init__(self) -> None:
        self.frames: asyncio.Queue[str] = asyncio.Queue()

    def send_catch_up(self, frames: Sequence[str]) -> None:
        for frame in frames:
            self.send(frame)

    def send(self, frame: str) -> None:
        # Raises in any thread but the event loop's.
        asyncio.get_running_loop()
        self.frames.put_nowait(frame)


async def test_from_another_thread(gateway: Gateway) -> None:
    """A bell rung in a request's thread delivers in the event loop, in order."""
    hub = gateway.repair.hub
    live, member = hub.open("poll:best"), Member()
    live.start(1, Position("e", 0))
    hub.join(live, member)
    rung = [Published("poll:best", "e", n, f'{{"n":{n}}}', 0.0) for n in (1, 2, 3)]
    await asyncio.to_thread(bell.LocalBell().ring, rung)
    async with asyncio.timeout(5):
        frames = [await member.frames.get() for _ in rung]
    assert [f'"n":{n},' in frame for n, frame in enumerate(frames, start=1)] == [True] * 3
    hub.leave(live, member)


async def test_one_text_to_many(gateway: Gateway) -> None:
    """A bell for many channels is heard by those of them that are served."""
    hub = gateway.repair.hub
    live, member = hub.open("poll:best"), Member()
    live.start(1, Position("e", 0))
    hub.join(live, member)
    many = FanOut(
        "poll",
        0.0,
        ['{"n":1}'],
        ["worst", "best"],
        ["d", "e"],
        [5, 1],
        ['"id":1', '"id":2'],
        [0, 0],
    )
    await asyncio.to_thread(bell.LocalBell().ring_fan_out, many)
    async with asyncio.timeout(5):
        assert '"id":2,"n":1' in await member.frames.get()
    hub.leave(live, member)


def test_before_the_server_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A management command rings to nobody, without an error."""
    monkeypatch.setattr(bell, "_loop", None)
    bell.LocalBell().ring([Published("poll:best", "e", 1, "{}", 0.0)])


def test_after_the_server_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that outlives the event loop rings to nobody, without an error."""
    loop = asyncio.new_event_loop()
    loop.close()
    monkeypatch.setattr(bell, "_loop", loop)
    bell.LocalBell().ring([Published("poll:best", "e", 1, "{}", 0.0)])
