from __future__ import annotations

from collections.abc import Callable

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom, Message
from shared.notifications.actions import do_announce
from shared.notifications.models import Announcement
from tests.gateway.peer import Peer

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]


async def test_announcement_reaches_both_endpoints(
    gateway: Gateway, staff: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """An announcement reaches every connection, that of the synchronous consumer too."""
    async with (
        Peer("/ws/notifications/", cookie_of(bob)) as everywhere,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as room,
    ):
        assert set(everywhere.greeting["positions"]) == {"announcements:all"}
        row = await gateway.database.run(do_announce, staff, "Cake in the kitchen")
        heard = await everywhere.receive()
        assert heard == await room.receive()
        assert heard == {
            "type": "announcement",
            "id": row.pk,
            "message": "Cake in the kitchen",
            "timestamp": row.created_at.isoformat(),
            "epoch": everywhere.greeting["positions"]["announcements:all"]["epoch"],
            "offset": everywhere.greeting["positions"]["announcements:all"]["offset"] + 1,
        }


async def test_missed_announcements_are_caught_up(
    gateway: Gateway, staff: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Whoever says where it stood gets what was announced since, corrected as staff left it."""
    cookie = cookie_of(bob)
    async with Peer("/ws/notifications/", cookie) as peer:
        place = peer.greeting["positions"]["announcements:all"]
    first = await gateway.database.run(do_announce, staff, "Frist")
    await gateway.database.run(do_announce, staff, "Second")
    await gateway.database.run(
        Announcement.objects.filter(pk=first.pk).update, message="First, corrected"
    )
    since = f"?announcements={place['epoch']}.{place['offset']}"
    for path in ("/ws/notifications/", "/ws/chat/lobby/"):
        async with Peer(path + since, cookie) as peer:
            assert peer.greeting["positions"]["announcements:all"] == place
            frames = await peer.receive_many(2)
            assert [frame["message"] for frame in frames] == ["First, corrected", "Second"]
            assert [f["offset"] for f in frames] == [place["offset"] + 1, place["offset"] + 2]


async def test_nothing_is_expected_of_the_client(
    gateway: Gateway, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A message here is refused with an error; the connection stays and nothing is stored."""
    async with Peer("/ws/notifications/", cookie_of(bob)) as peer:
        await peer.send(message="anybody there?")
        assert (await peer.receive())["code"] == 107
        await peer.send("no JSON")
        assert (await peer.receive())["code"] == 107
        assert await gateway.database.run(Message.objects.count) == 0


async def test_binary_frame(gateway: Gateway, bob: User, cookie_of: CookieOf) -> None:
    """A binary frame ends the connection with a terminal code."""
    async with Peer("/ws/notifications/", cookie_of(bob)) as peer:
        await peer.send_bytes(b"\x00\x01")
        assert await peer.close_code() == 3501


async def test_many_at_once(gateway: Gateway, staff: User, bob: User, cookie_of: CookieOf) -> None:
    """Ten announcements in a row arrive in order, through the threads of a sync consumer."""
    async with Peer("/ws/notifications/", cookie_of(bob)) as peer:
        for number in range(10):
            await gateway.database.run(do_announce, staff, f"number {number}")
        frames = await peer.receive_many(10)
        assert [frame["message"] for frame in frames] == [f"number {n}" for n in range(10)]
