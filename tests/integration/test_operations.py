"""What an operator asks a running stack, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.client import Session
from tests.integration.audience import until
from tests.integration.traffic import fresh_room, open_chat
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


def gateways(stack: RunningStack, *options: str) -> list[dict[str, Any]]:
    told = json.loads(stack.manage("realtime_top", "--once", "--json", *options))
    found: list[dict[str, Any]] = told["gateways"]
    return found


def test_check(stack: RunningStack) -> None:
    """Through nginx, too, there is nothing but what is meant here: the demo, and a mere shell."""
    told = json.loads(stack.manage("realtime_check", "--json", "--url", stack.url))
    found = {finding["id"] for finding in told["findings"]}
    assert found == {"carillon.W005", "carillon.W012"}
    assert told["seen"]["proxy"] == {"url": stack.url, "client": "127.0.0.1", "socket": 101}
    assert told["seen"]["broker"]["queues"].keys() >= {"carillon.default", "carillon.dead_letters"}


async def test_top_and_drain(stack: RunningStack) -> None:
    """
    A gateway is found by its connections, and drained by the name that it has there.

    Its clients are sent away, the other's stay; an unknown name changes nothing.
    """
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = fresh_room(alice)
    meant = stack.internal_url("gateway-1")
    async with (
        open_chat(alice, stack.gateway_url(1), room) as going,
        open_chat(bob, stack.gateway_url(1), room) as too,
        open_chat(bob, stack.gateway_url(2), room) as staying,
    ):
        [row] = await asyncio.to_thread(gateways, stack, "--metrics", meant)
        assert (row["state"], row["connections"]) == ("up", 2)
        async with asyncio.timeout(60):
            # The gateways write how they fare every ten seconds.
            rows: list[dict[str, Any]] = []
            while not rows:
                rows = [row for row in await told(stack) if row["connections"] == 2]
        [found] = rows
        with pytest.raises(Exception, match="There is no gateway 'nobody': choose from"):
            await asyncio.to_thread(stack.manage, "drain", found["name"], "nobody")
        assert going.close_code is None
        said = await asyncio.to_thread(stack.manage, "drain", found["name"], "--wait", "30")
        assert said.splitlines()[0] == f"{found['name']} is told to drain."
        assert said.splitlines()[-1].startswith(f"{found['name']} has ended after ")
        for client in (going, too):
            await client.wait_for(lambda c: c.close_code == 1012)
        await until(lambda: stack.gateways[1] is None, 10)
        await staying.send(message="still here")
        await staying.wait_for(lambda c: c.texts == ["still here"])
        assert [row["uid"] for row in await told(stack)] != [found["uid"]]


async def told(stack: RunningStack) -> list[dict[str, Any]]:
    return await asyncio.to_thread(gateways, stack)
