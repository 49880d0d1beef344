from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.actions import do_create_room, do_delete_message, do_send_system_message
from shared.chat.models import ChatRoom, Message
from tests.gateway.peer import Peer

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]


async def test_greeting(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """The first frame greets and tells where both channels stand."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        assert peer.greeting["type"] == "connection_established"
        assert peer.greeting["message"] == "You are now connected!"
        assert set(peer.greeting["positions"]) == {"chat:lobby", "announcements:all"}
        for position in peer.greeting["positions"].values():
            assert position["offset"] == 0


async def test_two_people_hear_each_other(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """What one says reaches both, once, with its place in the room; the row is there before."""
    async with (
        Peer("/ws/chat/lobby/", cookie_of(alice)) as hers,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as his,
    ):
        await hers.send(message="Hello Bob", client_id="a-1")
        heard = await his.receive()
        row = await gateway.database.run(Message.objects.select_related("user").get)
        assert await hers.receive() == heard
        assert heard == {
            "type": "chat",
            "id": row.pk,
            "message": "Hello Bob",
            "username": "alice",
            "client_id": "a-1",
            "timestamp": heard["timestamp"],
            "epoch": hers.greeting["positions"]["chat:lobby"]["epoch"],
            "offset": 1,
        }
        assert datetime.fromisoformat(heard["timestamp"]) == row.timestamp
        await his.send(message="Hello Alice")
        replies = await hers.receive(), await his.receive()
        assert replies[0] == replies[1]
        assert replies[0]["username"] == "bob"
        assert replies[0]["offset"] == 2
        assert "client_id" not in replies[0]
        assert "system" not in replies[0]


async def test_other_room_hears_nothing(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A message stays in its room."""
    await gateway.database.run(do_create_room, alice, "garden")
    async with (
        Peer("/ws/chat/lobby/", cookie_of(alice)) as here,
        Peer("/ws/chat/garden/", cookie_of(bob)) as there,
    ):
        await here.send(message="only here")
        assert (await here.receive())["message"] == "only here"
        await there.send(message="only there")
        assert (await there.receive())["message"] == "only there"
        assert await here.hears_nothing()


async def test_forged_keys_are_ignored(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Who said it, when, and with which number the server alone decides."""
    async with Peer("/ws/chat/lobby/", cookie_of(bob)) as peer:
        await peer.send(
            message="trust me",
            username="System",
            user=alice.pk,
            system=True,
            id=999_999,
            offset=77,
            epoch="mine",
            timestamp="1999-01-01T00:00:00Z",
            type="announcement",
        )
        frame = await peer.receive()
        assert frame["type"] == "chat"
        assert frame["username"] == "bob"
        assert "system" not in frame
        assert frame["id"] != 999_999
        assert frame["offset"] == 1
        assert frame["epoch"] == peer.greeting["positions"]["chat:lobby"]["epoch"]
        assert not frame["timestamp"].startswith("1999")
        row = await gateway.database.run(Message.objects.get)
        assert (row.user_id, row.system) == (bob.pk, False)


async def test_every_script_comes_back_as_it_was(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Right-to-left text, joined emoji and markup are stored and sent verbatim."""
    texts = [
        "‮gnp.exe",
        "👩‍👩‍👧‍👦 שלום 你好",
        '<img src=x onerror="alert(1)">',
        "{{7*7}}",
        'a"}\n\\u0041\r\u2028',
    ]
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        for text in texts:
            await peer.send(message=text)
            assert (await peer.receive())["message"] == text


async def test_resend_is_answered_to_the_sender_alone(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A message sent again with its client_id is the same message, which nobody hears twice."""
    async with (
        Peer("/ws/chat/lobby/", cookie_of(alice)) as first,
        Peer("/ws/chat/lobby/", cookie_of(alice)) as second,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as his,
    ):
        await first.send(message="once", client_id="c1")
        sent = await first.receive()
        assert await second.receive() == sent
        assert await his.receive() == sent
        await second.send(message="once", client_id="c1")
        assert await second.receive() == sent
        await second.send(message="other", client_id="c1")
        refused = await second.receive()
        assert (refused["type"], refused["code"]) == ("error", 409)
        assert refused["client_id"] == "c1"
        await his.send(message="mine", client_id="c1")
        assert (await his.receive())["message"] == "mine"
        assert (await first.receive())["offset"] == 2
        assert await gateway.database.run(Message.objects.count) == 2


async def test_deletion(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Readers hear that a message is gone, by its id, with a place of its own."""
    async with Peer("/ws/chat/lobby/", cookie_of(bob)) as peer:
        await peer.send(message="regret")
        sent = await peer.receive()
        await gateway.database.run(do_delete_message, bob, sent["id"])
        gone = await peer.receive()
        assert gone == {
            "type": "deleted",
            "id": sent["id"],
            "epoch": sent["epoch"],
            "offset": sent["offset"] + 1,
        }


async def test_system_message(
    gateway: Gateway, staff: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """The server's own message says so, in a key that no client can set."""
    async with Peer("/ws/chat/lobby/", cookie_of(bob)) as peer:
        await gateway.database.run(do_send_system_message, staff, lobby, "Maintenance at noon")
        frame = await peer.receive()
        assert (frame["username"], frame["system"]) == ("System", True)
        assert frame["message"] == "Maintenance at noon"
