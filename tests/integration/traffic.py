"""Chat traffic against a running stack, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tests.client import ChatClient, Session

__all__ = [
    "TimedClient",
    "assert_each_once_in_order",
    "fresh_room",
    "latencies",
    "open_chat",
    "percentile_99",
    "pumping",
    "send",
]

_numbers = itertools.count(time.time_ns())


@dataclass
class TimedClient(ChatClient):
    """A client that knows when it sent and got each message, by client_id."""

    sent: dict[str, float] = field(default_factory=dict)
    got: dict[str, float] = field(default_factory=dict)

    async def _add(self, frame: dict[str, Any]) -> None:
        if frame.get("type") == "chat":
            self.got.setdefault(frame.get("client_id", ""), time.monotonic())
        await super()._add(frame)


def fresh_room(session: Session, *, members_only: bool = False) -> str:
    """Make a room that only this test uses."""
    name = f"room-{next(_numbers)}"
    form = {"name": name, "members_only": "on"} if members_only else {"name": name}
    answer = session.post("/rooms/", form)
    assert answer.url.path == f"/rooms/{name}/", answer.text
    return name


def open_chat(session: Session, url: str, room: str, **query: str) -> TimedClient:
    """Return a client of a room at one gateway, or at nginx."""
    question = "&".join(f"{name}={value}" for name, value in query.items())
    address = f"{url.replace('http', 'ws', 1)}/ws/chat/{room}/?{question}"
    return TimedClient(address, session.cookie, session.url)


@contextlib.asynccontextmanager
async def pumping(client: TimedClient, per_second: float) -> AsyncIterator[None]:
    """Send at a steady rate for as long as the block lasts."""
    stop = asyncio.Event()
    pump = asyncio.create_task(send(client, sys.maxsize, per_second, stop))
    try:
        yield
    finally:
        # Not cancelled: every message that was begun is sent.
        stop.set()
        await pump


async def send(
    client: TimedClient,
    messages: int,
    per_second: float = 20,
    stop: asyncio.Event | None = None,
) -> None:
    """Send numbered messages at a steady rate, each with a client_id of its own."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(messages):
        if stop is not None and stop.is_set():
            return
        await asyncio.sleep(max(0.0, start + number / per_second - loop.time()))
        client_id = f"t-{next(_numbers)}"
        client.sent[client_id] = time.monotonic()
        await client.send(message=f"message {number}", client_id=client_id)


def assert_each_once_in_order(client: ChatClient, client_ids: set[str]) -> None:
    """Check that the client got exactly these messages, in the log's order, without a hole."""
    frames = client.of_type("chat")
    offsets = [frame["offset"] for frame in frames]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
    assert sorted(frame["client_id"] for frame in frames) == sorted(client_ids)


def latencies(sender: TimedClient, reader: TimedClient, since: float = 0.0) -> list[float]:
    """Return the seconds from each send to its arrival, ascending; of sends after a moment."""
    return sorted(
        reader.got[client_id] - sent for client_id, sent in sender.sent.items() if sent >= since
    )


def percentile_99(seconds: list[float]) -> float:
    """Return the value that 99 of 100 stay below."""
    return seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
