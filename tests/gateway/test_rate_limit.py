from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from services.gateway.limits import MESSAGES_BURST
from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom, Message
from tests.gateway.peer import Peer

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]


async def test_too_many_messages(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Past the burst a message is refused with a time to wait; after it, it is taken."""
    async with (
        Peer("/ws/chat/lobby/", cookie_of(alice)) as fast,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as other,
    ):
        count = 100
        for number in range(count):
            await fast.send(message=f"{number}", client_id=f"c{number}")
        frames = await fast.receive_many(count)
        errors = [frame for frame in frames if frame["type"] == "error"]
        assert MESSAGES_BURST <= count - len(errors) < count
        assert {frame["code"] for frame in errors} == {111}
        assert all(0 < frame["retry_after"] <= 0.051 for frame in errors)
        assert {f["client_id"] for f in frames} == {f"c{number}" for number in range(count)}
        await other.send(message="I am not slowed down", client_id="mine")
        while (await other.receive())["client_id"] != "mine":
            pass
        assert (await fast.receive())["client_id"] == "mine"
        await asyncio.sleep(errors[-1]["retry_after"])
        await fast.send(message="again", client_id=errors[-1]["client_id"])
        assert (await fast.receive())["message"] == "again"
        stored = await gateway.database.run(Message.objects.count)
        assert stored == count - len(errors) + 2


@pytest.mark.thorough
async def test_flood(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Who goes on regardless is closed with 3013; nobody else notices."""
    async with (
        Peer("/ws/chat/lobby/", cookie_of(alice)) as flooder,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as other,
    ):
        ending = asyncio.create_task(flooder.until_closed())
        while not ending.done():
            # Types are checked without a query: the flood is in messages, not in rows.
            await flooder.send(message=0)
            await asyncio.sleep(0.001)
        frames, code = await ending
        assert code == 3013
        assert {frame["code"] for frame in frames} == {107, 111}
        await other.send(message="fine")
        assert (await other.receive())["message"] == "fine"
        assert len(gateway.repair.hub.open("chat:lobby").group) == 1
