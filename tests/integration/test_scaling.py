"""Gateways come and go while people talk."""

from __future__ import annotations

import asyncio

import pytest

from tests.client import Session
from tests.integration.faults import metric
from tests.integration.traffic import (
    fresh_room,
    open_chat,
    pumping,
)
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


async def test_scaling_up_and_down_cuts_no_other_socket_and_loses_nothing(
    stack: RunningStack,
) -> None:
    """A third gateway gets new connections; when it goes, only its own clients come back."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = fresh_room(alice)
    first = open_chat(alice, stack.gateway_url(1), room)
    second = open_chat(bob, stack.gateway_url(2), room)
    async with first, second, pumping(first, per_second=15):
        await asyncio.to_thread(stack.scale, 3)

        async def reach_the_third() -> None:
            while metric(stack, "gateway-3", "carillon_gateway_connections_opened_total") == 0:
                async with open_chat(bob, stack.url, room):
                    pass

        await asyncio.wait_for(reach_the_third(), 15)

        async with open_chat(bob, stack.gateway_url(3), room) as third:
            await third.wait_for(lambda c: len(c.texts) >= 10)
            await asyncio.to_thread(stack.scale, 2)
            # Its socket goes with the gateway, and is told why.
            await third.wait_for(lambda c: c.close_code is not None)
        assert third.close_code == 1012
        assert third.socket.close_reason
        place = third.of_type("chat")[-1]
        since = f"{place['epoch']}.{place['offset']}"
        async with open_chat(bob, stack.url, room, since=since) as returned:
            count = len(first.sent)
            for client in (first, second, returned):
                await client.wait_for(lambda c: len(first.sent) >= count + 15)
            so_far = set(first.sent)
            for client in (first, second):
                await client.wait_for(lambda c: so_far <= c.got.keys())
            await returned.wait_for(lambda c: list(first.sent)[count] in c.got)
        # The others stayed open, and nobody missed or got twice anything.
        for client in (first, second):
            assert client.close_code is None
            offsets = [frame["offset"] for frame in client.of_type("chat")]
            assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
        offsets = [f["offset"] for f in [*third.of_type("chat"), *returned.of_type("chat")]]
        assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
