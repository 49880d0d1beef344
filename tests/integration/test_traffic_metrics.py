"""What operators see of the bytes that go through a gateway."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.client import Session
from tests.integration.faults import metric
from tests.integration.traffic import fresh_room, open_chat, send
from tests.servers import RunningStack

pytestmark = pytest.mark.servers

MESSAGES = 20


async def test_bytes_are_counted_both_ways(stack: RunningStack) -> None:
    """What clients send by its payload, what they get by what is written to each of them."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = fresh_room(alice)

    async def count(name: str) -> float:
        return await asyncio.to_thread(metric, stack, "gateway-1", f"carillon_gateway_{name}")

    async with (
        open_chat(alice, stack.gateway_url(1), room) as speaker,
        open_chat(bob, stack.gateway_url(1), room) as listener,
    ):
        received, sent = await count("received_bytes_total"), await count("sent_bytes_total")
        await send(speaker, MESSAGES)
        for client in (speaker, listener):
            await client.wait_for(lambda c: len(c.texts) == MESSAGES)
        said = [
            json.dumps({"message": f"message {number}", "client_id": client_id})
            for number, client_id in enumerate(speaker.sent)
        ]
        assert await count("received_bytes_total") - received == sum(map(len, said))
        # At least what the frames hold, in the tightest form; headers and pings come on top.
        frames = [*speaker.of_type("chat"), *listener.of_type("chat")]
        least = sum(len(json.dumps(frame, separators=(",", ":"))) for frame in frames)
        assert least <= await count("sent_bytes_total") - sent <= 2 * least
        # Both read at once what they were sent.
        assert await count("send_queue_bytes") == 0
