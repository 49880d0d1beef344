from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.gateway.transport.inbox import Inbox


class _Reading:
    """An inbox, and what it said of its room."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.inbox = Inbox(lambda: self.told.append("full"), lambda: self.told.append("room"))

    def put(self, text: str) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": text})


async def test_in_order() -> None:
    """Messages come out as they went in."""
    reading = _Reading()
    for number in range(5):
        reading.put(str(number))
    assert [(await reading.inbox.get())["text"] for _ in range(5)] == list("01234")
    assert reading.told == []


async def test_waiting_reader() -> None:
    """A reader that came first gets the message as soon as it is there."""
    reading = _Reading()
    reader = asyncio.create_task(reading.inbox.get())
    await asyncio.sleep(0)
    assert not reader.done()
    reading.put("now")
    assert (await reader)["text"] == "now"


async def test_reader_that_was_cancelled() -> None:
    """It takes nothing with it, even if it had been woken already."""
    reading = _Reading()
    for is_woken in (False, True):
        reader = asyncio.create_task(reading.inbox.get())
        await asyncio.sleep(0)
        if is_woken:
            reading.put("for the next")
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert (await reading.inbox.get())["text"] == "for the next"


async def test_full_by_number() -> None:
    """32 messages fill it, whatever their size, and it has room again with 16."""
    reading = _Reading()
    for _ in range(31):
        reading.put("")
    assert reading.told == []
    for _ in range(10):
        reading.put("")
    assert reading.told == ["full"]
    for _ in range(41 - 17):
        await reading.inbox.get()
    assert reading.told == ["full"]
    await reading.inbox.get()
    # The reader goes on first: it must not be handed more and more in one turn.
    assert reading.told == ["full"]
    await asyncio.sleep(0)
    assert reading.told == ["full", "room"]


@pytest.mark.parametrize("message", [{"text": "x" * 65_536}, {"bytes": b"x" * 65_536}])
async def test_full_by_size(message: dict[str, Any]) -> None:
    """256 KiB fill it, however few the messages, and it has room again with half of that."""
    reading = _Reading()
    for _ in range(4):
        assert reading.told == []
        reading.inbox.put_nowait({"type": "websocket.receive", **message})
    assert reading.told == ["full"]
    await reading.inbox.get()
    assert reading.told == ["full"]
    await reading.inbox.get()
    # The reader goes on first: it must not be handed more and more in one turn.
    assert reading.told == ["full"]
    await asyncio.sleep(0)
    assert reading.told == ["full", "room"]


async def test_full_again() -> None:
    """It tells each time, and once each time."""
    reading = _Reading()
    for _ in range(3):
        for _ in range(32):
            reading.put("x")
        for _ in range(32):
            await reading.inbox.get()
        await asyncio.sleep(0)
    assert reading.told == ["full", "room"] * 3


async def test_end_comes_also_when_full() -> None:
    """The disconnect is never turned away, and it comes last."""
    reading = _Reading()
    for _ in range(40):
        reading.put("x")
    reading.inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
    messages = [await reading.inbox.get() for _ in range(41)]
    assert messages[-1] == {"type": "websocket.disconnect", "code": 1006}


async def test_room_is_used_at_once() -> None:
    """What is put in while it tells of its room comes behind what was there."""
    inbox: Inbox
    told: list[str] = []

    def refill() -> None:
        told.append("room")
        inbox.put_nowait({"type": "websocket.receive", "text": "later"})

    inbox = Inbox(lambda: told.append("full"), refill)
    for number in range(32):
        inbox.put_nowait({"type": "websocket.receive", "text": str(number)})
    texts = [(await inbox.get())["text"] for _ in range(33)]
    assert texts == [*map(str, range(32)), "later"]
    assert told == ["full", "room"]
