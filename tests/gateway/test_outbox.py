from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from services.gateway.closecodes import CloseCode
from services.gateway.outbox import QueuedOutbox
from tests.gateway.peer import eventually


class Socket:
    """Keeps what is sent; while it is stuck, a send does not return."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def send(self, event: Mapping[str, Any]) -> None:
        await self.flowing.wait()
        self.events.append(event)

    @property
    def texts(self) -> list[str]:
        return [event["text"] for event in self.events if event["type"] == "websocket.send"]

    @property
    def code(self) -> int | None:
        last = self.events[-1] if self.events else {}
        return last["code"] if last.get("type") == "websocket.close" else None

    async def until(self, count: int) -> None:
        await eventually(lambda: len(self.events) >= count)


async def test_order_is_kept() -> None:
    """Frames are written in the order they were added, the close after them."""
    socket = Socket()
    outbox = QueuedOutbox(socket.send, "chat")
    for number in range(100):
        outbox.send(str(number))
    outbox.close(CloseCode.PERMISSION_DENIED)
    outbox.send("too late")
    await socket.until(101)
    assert socket.texts == [str(number) for number in range(100)]
    assert socket.code == 3507
    assert outbox.closed_with is CloseCode.PERMISSION_DENIED


async def test_first_close_wins() -> None:
    """A connection is closed once, with the first code."""
    socket = Socket()
    outbox = QueuedOutbox(socket.send, "chat")
    outbox.close(CloseCode.BAD_REQUEST)
    outbox.close(CloseCode.SLOW)
    await socket.until(1)
    await asyncio.sleep(0)
    assert [event["type"] for event in socket.events] == ["websocket.close"]
    assert socket.code == 3501


async def test_slow_reader() -> None:
    """A reader that leaves 256 KiB waiting for a second is closed; what waited is let go."""
    socket = Socket()
    outbox = QueuedOutbox(socket.send, "chat")
    socket.flowing.clear()
    for _ in range(6):
        outbox.send("x" * 64 * 1024)
    await eventually(lambda: outbox.is_closing)
    socket.flowing.set()
    await eventually(lambda: socket.code is not None)
    assert socket.code == 3008
    assert len(socket.texts) <= 1


async def test_flood() -> None:
    """However quick it comes, no more than 8 MiB waits for one reader."""
    socket = Socket()
    outbox = QueuedOutbox(socket.send, "chat")
    socket.flowing.clear()
    for _ in range(128):
        outbox.send("x" * 64 * 1024)
    assert not outbox.is_closing
    outbox.send("x")
    assert outbox.is_closing


async def test_burst_is_no_slow_reader() -> None:
    """A megabyte added in one step is written to a reader that takes it."""
    socket = Socket()
    outbox = QueuedOutbox(socket.send, "chat")
    for number in range(16):
        outbox.send(str(number) + "x" * 64 * 1024)
    await socket.until(16)
    assert not outbox.is_closing


async def test_written_frames_count_no_more() -> None:
    """What was written makes room: any amount passes a reader that keeps up."""
    socket = Socket()
    outbox = QueuedOutbox(socket.send, "chat")
    for number in range(100):
        outbox.send("x" * 64 * 1024)
        await socket.until(number + 1)
    assert not outbox.is_closing


async def test_abandon_stops_writing() -> None:
    """Of a connection that is gone nothing goes on, whatever is added."""
    socket = Socket()
    outbox = QueuedOutbox(socket.send, "chat")
    outbox.send("one")
    outbox.abandon()
    outbox.send("two")
    for _ in range(5):
        await asyncio.sleep(0)
    assert socket.events == []
