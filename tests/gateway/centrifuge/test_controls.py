from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.test import Client

from services.gateway.runtime import Gateway
from shared.accounts.keys import digest_of
from shared.accounts.models import User
from shared.chat.actions import (
    do_add_member,
    do_create_room,
    do_remove_member,
    do_send_message,
)
from shared.chat.models import ChatRoom
from shared.realtime.actions import do_control
from shared.realtime.controls import Disconnect, Refresh, Since, Subscribe, Unsubscribe
from shared.tokens.signing import sign_connection
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import Peer

type CookieOf = Callable[[User], str]

CHANNEL = "chat:lobby"


async def test_disconnect(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A user's connections end with the server's own words, whatever they speak; others stay."""
    cookie = cookie_of(alice)
    async with (
        CentrifugePeer(cookie) as one,
        Peer("/ws/chat/lobby/", cookie) as two,
        CentrifugePeer(cookie_of(bob)) as other,
    ):
        control = Disconnect(user=str(alice.pk), code=4000, reason="enough for today")
        await gateway.database.run(do_control, control)
        assert await one.closed() == (4000, "enough for today")
        assert await two.close_code() == 4000
        assert "subscribe" in await other.ask("subscribe", channel=CHANNEL)


async def test_disconnect_of_one_client(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Named, or all but those that are named."""
    cookie = cookie_of(alice)
    async with CentrifugePeer(cookie) as one, CentrifugePeer(cookie) as two:
        first, second = one.welcome["client"], two.welcome["client"]
        user = str(alice.pk)
        spared = Disconnect(user=user, code=3503, reason="force", whitelist=[first, second])
        named = Disconnect(user=user, client=first, code=3503, reason="force disconnect")
        await gateway.database.run(do_control, spared)
        await gateway.database.run(do_control, named)
        assert (await one.closed())[0] == 3503
        assert "subscribe" in await two.ask("subscribe", channel=CHANNEL)


async def test_unsubscribe(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """The subscription ends, the connection stays; a plain one has nothing else to be for."""
    cookie = cookie_of(alice)
    async with CentrifugePeer(cookie) as peer, Peer("/ws/chat/lobby/", cookie) as plain:
        await peer.ask("subscribe", channel=CHANNEL)
        control = Unsubscribe(
            user=str(alice.pk), channel=CHANNEL, code=2000, reason="server unsubscribe"
        )
        await gateway.database.run(do_control, control)
        push = await peer.push()
        assert push["channel"] == CHANNEL
        assert push["unsubscribe"] == {"code": 2000, "reason": "server unsubscribe"}
        assert await plain.close_code() == 3507
        assert "subscribe" in await peer.ask("subscribe", channel=CHANNEL)


async def test_subscribe(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A client hears what a server wants it to, from where the server says."""
    for number in range(3):
        await gateway.database.run(do_send_message, alice, "lobby", f"m{number}")
    async with CentrifugePeer(cookie_of(alice)) as peer:
        control = Subscribe(
            user=str(alice.pk), channel=CHANNEL, data={"why": "so"}, recover_since=Since(offset=1)
        )
        await gateway.database.run(do_control, control)
        push = await peer.push()
        assert push["channel"] == CHANNEL
        assert push["subscribe"]["data"] == {"why": "so"}
        assert push["subscribe"]["positioned"] is True
        offsets = [(await peer.publication())["offset"] for _ in range(2)]
        assert offsets == [2, 3]
        await gateway.database.run(do_send_message, alice, "lobby", "m3")
        assert (await peer.publication())["offset"] == 4
        assert await peer.error("subscribe", channel=CHANNEL) == 105


async def test_refresh(gateway: Gateway, alice: User) -> None:
    """The end moves and the client is told, or it is now."""
    token = sign_connection(alice.pk, 60)
    async with CentrifugePeer(origin=None, connect={"token": token}) as peer:
        user = str(alice.pk)
        await gateway.database.run(do_control, Refresh(user=user))
        assert await peer.push() == {"refresh": {}}
        await gateway.database.run(do_control, Refresh(user=user, expired=True))
        assert await peer.closed() == (3005, "connection expired")


async def test_removal_from_a_room(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """What somebody hears of a room ends with their membership, at once."""
    room = await gateway.database.run(do_create_room, alice, "backroom", True)
    await gateway.database.run(do_add_member, alice, room, "bob")
    cookie = cookie_of(bob)
    async with CentrifugePeer(cookie) as peer, Peer("/ws/chat/backroom/", cookie) as plain:
        await peer.ask("subscribe", channel="chat:backroom")
        await gateway.database.run(do_remove_member, alice, room, "bob")
        push = await peer.push()
        assert (push["channel"], push["unsubscribe"]["code"]) == ("chat:backroom", 2000)
        assert await plain.close_code() == 3507
        assert await peer.error("subscribe", channel="chat:backroom") == 103


async def test_signing_out(
    gateway: Gateway, alice: User, signed_in: Callable[[User], Client]
) -> None:
    """What was opened with the session ends with it, also by a token; other devices stay."""

    def browser() -> tuple[Client, str]:
        client = signed_in(alice)
        return client, client.cookies[settings.SESSION_COOKIE_NAME].value

    here, key = await gateway.database.run(browser)
    _, other_key = await gateway.database.run(browser)
    token = sign_connection(alice.pk, 60, meta={"session": digest_of(key)})
    cookie, other = (f"{settings.SESSION_COOKIE_NAME}={each}" for each in (key, other_key))
    async with (
        CentrifugePeer(cookie) as one,
        Peer("/ws/notifications/", cookie) as two,
        CentrifugePeer(origin=None, connect={"token": token}) as three,
        CentrifugePeer(other) as elsewhere,
    ):
        await gateway.database.run(here.logout)
        assert await one.closed() == (4501, "signed out")
        assert await two.close_code() == 4501
        assert (await three.closed())[0] == 4501
        assert "history" in await elsewhere.ask("history", channel=f"user:{alice.pk}")


async def test_new_password(gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf) -> None:
    """All connections say again who they are, and sessions of the old password are nobody's."""
    cookie = cookie_of(alice)

    def change() -> None:
        alice.set_password("a long new one")
        alice.save()

    async with CentrifugePeer(cookie) as hers, CentrifugePeer(cookie_of(bob)) as his:
        await gateway.database.run(change)
        assert await hers.closed() == (3011, "force reconnect")
        again = CentrifugePeer(cookie)
        await again.opens()
        await again.send(again.command("connect"))
        assert (await again.closed())[0] == 3501
        assert "history" in await his.ask("history", channel=f"user:{bob.pk}")
