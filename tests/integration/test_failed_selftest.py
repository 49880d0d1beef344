"""A gateway on libraries of another day, which its self-test does not trust: dearer, and whole."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from deploy.stack import carillon
from tests.client import Session
from tests.integration.faults import metric
from tests.integration.traffic import assert_each_once_in_order, fresh_room, open_chat, send
from tests.servers import RunningStack

pytestmark = pytest.mark.servers

NUMBER = 4
MESSAGES = 50
# As if Twisted no longer called what the fast path hangs on.
_WITHOUT = """
import runpy
from services.gateway.transport.sockets import GatewaySocket
del GatewaySocket.startWriting
runpy.run_module("services.gateway", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
async def distrusted(stack: RunningStack) -> AsyncIterator[str]:
    """A fourth gateway, whose self-test fails; gives its URL."""
    plain = stack.stack
    ours = carillon.gateway(plain.layout, plain.role_environment("gateway"), NUMBER)
    arguments = ours.command[ours.command.index("services.gateway") + 1 :]
    service = replace(ours, command=(sys.executable, "-c", _WITHOUT, *arguments))
    try:
        await asyncio.to_thread(plain.supervisor.up, [service])
        yield stack.gateway_url(NUMBER)
    finally:
        await asyncio.to_thread(plain.stop, service.name)


async def test_failed_selftest_is_told_and_everything_is_served(
    stack: RunningStack, distrusted: str
) -> None:
    """The metric says 0 there and 1 elsewhere, and people on both hear each other."""
    name = "carillon_gateway_fast_path"
    assert await asyncio.to_thread(metric, stack, f"gateway-{NUMBER}", name) == 0
    assert await asyncio.to_thread(metric, stack, "gateway-1", name) == 1
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = fresh_room(alice)
    async with (
        open_chat(alice, stack.gateway_url(1), room) as fast,
        open_chat(bob, distrusted, room) as slow,
    ):
        await asyncio.gather(send(fast, MESSAGES), send(slow, MESSAGES))
        for client in (fast, slow):
            await client.wait_for(lambda c: len(c.texts) == 2 * MESSAGES)
            assert_each_once_in_order(client, {*fast.sent, *slow.sent})
