"""The ASGI application under Daphne as it comes: dearer, but as complete."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from deploy.stack import carillon
from tests.client import Session
from tests.integration.faults import metric
from tests.integration.traffic import assert_each_once_in_order, fresh_room, open_chat, send
from tests.servers import RunningStack

pytestmark = pytest.mark.servers

NUMBER = 3
MESSAGES = 50


@pytest.fixture
async def stock(stack: RunningStack) -> AsyncIterator[str]:
    """A third gateway, by Daphne's own command; gives its URL."""
    plain = stack.stack
    ours = carillon.gateway(plain.layout, plain.role_environment("gateway"), NUMBER)
    port = str(plain.layout.gateway(NUMBER))
    command = (sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", port)
    service = replace(ours, command=(*command, "services.gateway.asgi:application"))
    try:
        await asyncio.to_thread(plain.supervisor.up, [service])
        yield stack.gateway_url(NUMBER)
    finally:
        await asyncio.to_thread(plain.stop, service.name)


async def test_people_on_both_kinds_of_server_hear_each_other(
    stack: RunningStack, stock: str
) -> None:
    """Each message once and in order on both; who comes back has what was missed."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = fresh_room(alice)
    async with open_chat(alice, stack.gateway_url(1), room) as first:
        async with open_chat(bob, stock, room) as second:
            await asyncio.gather(send(first, MESSAGES), send(second, MESSAGES))
            for client in (first, second):
                await client.wait_for(lambda c: len(c.texts) == 2 * MESSAGES)
                assert_each_once_in_order(client, {*first.sent, *second.sent})
            place = second.of_type("chat")[-1]
        await send(first, 5)
        since = f"{place['epoch']}.{place['offset']}"
        async with open_chat(bob, stock, room, since=since) as returned:
            await returned.wait_for(lambda c: len(c.texts) == 5)
            # Binary frames are none of ours.
            await returned.socket.send(b"\x00")
            await returned.wait_for(lambda c: c.close_code is not None)
            assert returned.close_code == 3501
    assert returned.texts == [f"message {number}" for number in range(5)]


async def test_what_operators_see_of_it(stack: RunningStack, stock: str) -> None:
    """It is ready and says that it is not fast; only our own server can be drained."""
    async with httpx.AsyncClient(base_url=stack.internal_url(f"gateway-{NUMBER}")) as http:
        assert (await http.get("/readyz")).text == "ok\n"
        assert (await http.post("/drain")).status_code == 404
    name = "carillon_gateway_fast_path"
    assert await asyncio.to_thread(metric, stack, f"gateway-{NUMBER}", name) == 0
    for number in (1, 2):
        assert await asyncio.to_thread(metric, stack, f"gateway-{number}", name) == 1
