from __future__ import annotations

from collections.abc import Callable

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.actions import do_add_member, do_send_message
from shared.chat.models import ChatRoom, Membership, Message
from tests.gateway.peer import Peer

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]


async def test_removed_member(
    gateway: Gateway, alice: User, bob: User, backroom: ChatRoom, cookie_of: CookieOf
) -> None:
    """Membership is asked for each message, however it went; who has none is closed for good."""
    await gateway.database.run(do_add_member, alice, backroom, "bob")
    async with Peer("/ws/chat/backroom/", cookie_of(bob)) as peer:
        await peer.send(message="hello")
        assert (await peer.receive())["message"] == "hello"
        await gateway.database.run(Membership.objects.filter(user=bob).delete)
        await peer.send(message="still here?", client_id="x")
        frames, code = await peer.until_closed()
        assert [(f["type"], f["code"], f["client_id"]) for f in frames] == [("error", 103, "x")]
        assert code == 3507
    assert await gateway.database.run(Message.objects.count) == 1


async def test_nothing_after_the_refusal(
    gateway: Gateway, alice: User, bob: User, backroom: ChatRoom, cookie_of: CookieOf
) -> None:
    """From the refusal on the removed member hears nothing of the room."""
    await gateway.database.run(do_add_member, alice, backroom, "bob")
    async with Peer("/ws/chat/backroom/", cookie_of(bob)) as peer:
        await gateway.database.run(Membership.objects.filter(user=bob).delete)
        await peer.send(message="?")
        assert (await peer.receive())["code"] == 103
        await gateway.database.run(do_send_message, alice, "backroom", "he is gone")
        assert await peer.close_code() == 3507
        assert await peer.hears_nothing()


async def test_deactivated_user(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Deactivated in the database itself, past all actions, they still may not speak."""
    async with Peer("/ws/chat/lobby/", cookie_of(bob)) as peer:
        await gateway.database.run(User.objects.filter(pk=bob.pk).update, is_active=False)
        await peer.send(message="I am still here")
        frames, code = await peer.until_closed()
        assert [frame["code"] for frame in frames] == [103]
        assert code == 4503


async def test_deleted_room(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A room that was deleted during a connection takes no more messages."""
    async with Peer("/ws/chat/lobby/", cookie_of(bob)) as peer:
        await gateway.database.run(lobby.delete)
        await peer.send(message="into the void")
        frames, code = await peer.until_closed()
        assert ([frame["code"] for frame in frames], code) == ([103], 3507)
