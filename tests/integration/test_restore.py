"""A database that went back in time; `test_backup` has one that was lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.client import Session
from tests.integration.faults import dump_database, restore_database
from tests.integration.traffic import fresh_room, open_chat, send
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


async def test_after_a_restore_every_client_is_told_to_read_again(
    stack: RunningStack, tmp_path: Path
) -> None:
    """
    An old dump is restored under running gateways, then `manage.py realtime_restored`.

    Offsets that clients have seen are handed out again from then on, so nobody may continue:
    neither who stays connected, nor who comes back with a position, whatever it is.
    """
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = fresh_room(alice)
    dump = tmp_path / "old.dump"
    async with open_chat(alice, stack.gateway_url(1), room) as early:
        await send(early, 5)
        await early.wait_for(lambda c: len(c.texts) == 5)
    await asyncio.to_thread(dump_database, stack, dump)

    staying, other = (open_chat(bob, stack.gateway_url(number), room) for number in (2, 1))
    async with staying, other:
        async with open_chat(alice, stack.gateway_url(1), room) as later:
            await send(later, 10)
            for client in (later, staying, other):
                await client.wait_for(lambda c: len(c.texts) == 10)
        await asyncio.to_thread(restore_database, stack, dump)
        stack.manage("realtime_restored")
        # Whatever servers wanted of them meanwhile may have been missed: they are to come back.
        for client in (staying, other):
            await client.wait_for(lambda c: c.close_code == 3011, within=10)
            assert client.of_type("reset")

        # The same offsets once more, with other messages.
        async with open_chat(alice, stack.gateway_url(1), room) as after:
            await send(after, 12)
            await after.wait_for(lambda c: len(c.texts) == 12)

    seen = {(f["epoch"], f["offset"]) for f in [*early.of_type("chat"), *later.of_type("chat")]}
    for epoch, offset in sorted(seen):
        for gateway in (1, 2):
            back = open_chat(bob, stack.gateway_url(gateway), room, since=f"{epoch}.{offset}")
            async with back:
                await back.wait_for(lambda c: len(c.frames) >= 2)
            assert [frame["type"] for frame in back.frames] == ["connection_established", "reset"]
