"""What servers want of a client while it is being let in, or is about to hear a channel."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.actions import do_recheck
from shared.accounts.models import User
from shared.chat.actions import (
    do_add_member,
    do_create_room,
    do_remove_member,
    do_send_message,
)
from shared.chat.models import ChatRoom
from shared.realtime.actions import do_control
from shared.realtime.controls import Control, Disconnect, Refresh, Subscribe, Unsubscribe
from shared.tokens.signing import sign_connection
from tests.gateway.centrifuge.gate import Gate
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import eventually, served
from tests.team.namespaces import TickNamespace

type CookieOf = Callable[[User], str]

ROOM = "chat:backroom"
LOBBY = "chat:lobby"


async def heard(gateway: Gateway, witness: CentrifugePeer, control: Control) -> None:
    """Have a control heard by all of a user's connections, of which the witness is one."""
    await gateway.database.run(do_control, control)
    # One that is behind the other, in the same stream.
    mark = Subscribe(user=control.user, client=witness.welcome["client"], channel="tick:mark")
    await gateway.database.run(do_control, mark)
    while "subscribe" not in (push := await witness.push()) or push["channel"] != mark.channel:
        pass
    await gateway.database.run(
        do_control, Unsubscribe(user=mark.user, channel=mark.channel, code=2000, reason="mark")
    )


async def backroom(gateway: Gateway, alice: User) -> ChatRoom:
    """A room of Alice's and Bob's."""
    room = await gateway.database.run(do_create_room, alice, "backroom", True)
    await gateway.database.run(do_add_member, alice, room, "bob")
    return room


async def test_removed_while_connecting(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """Who had been found a member by then hears no more than that it is over."""
    room = await backroom(gateway, alice)
    async with CentrifugePeer(cookie_of(bob)) as witness:
        await witness.ask("subscribe", channel=ROOM)
        gate, peer = Gate(gateway), CentrifugePeer(origin=None)
        await peer.opens()
        token = sign_connection(bob.pk, 60, channels=[ROOM])
        await peer.send(peer.command("connect", token=token))
        await gate.reached.wait()
        await gateway.database.run(do_remove_member, alice, room, "bob")
        assert (await witness.push())["unsubscribe"]["code"] == 2000
        gate.open.set()
        assert ROOM in (await peer.reply(1))["connect"]["subs"]
        push = await peer.push()
        assert (push["channel"], push["unsubscribe"]["code"]) == (ROOM, 2000)
        await gateway.database.run(do_send_message, alice, "backroom", "secret")
        await peer.ask("history", channel=f"user:{bob.pk}")
        assert peer.pushes == []
        assert ROOM not in served(gateway)
        await peer.leave()


async def test_removed_while_subscribing(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """The command is refused; its client has nothing yet that could end."""
    room = await backroom(gateway, alice)
    cookie = cookie_of(bob)
    async with CentrifugePeer(cookie) as witness, CentrifugePeer(cookie) as peer:
        await witness.ask("subscribe", channel=ROOM)
        gate = Gate(gateway)
        await peer.send(peer.command("subscribe", channel=ROOM))
        await gate.reached.wait()
        await gateway.database.run(do_remove_member, alice, room, "bob")
        assert (await witness.push())["unsubscribe"]["code"] == 2000
        gate.open.set()
        assert (await peer.reply(2))["error"]["code"] == 103
        assert peer.pushes == []
        assert ROOM not in served(gateway)
        await gateway.database.run(do_add_member, alice, room, "bob")
        assert "subscribe" in await peer.ask("subscribe", channel=ROOM)


async def test_new_end_while_connecting(gateway: Gateway, alice: User, cookie_of: CookieOf) -> None:
    """It counts, and is told when the client is in."""
    async with CentrifugePeer(cookie_of(alice)) as witness:
        gate, peer = Gate(gateway), CentrifugePeer(origin=None)
        await peer.opens()
        await peer.send(peer.command("connect", token=sign_connection(alice.pk, 600)))
        await gate.reached.wait()
        soon = Refresh(user=str(alice.pk), expire_at=int(time.time()) + 60)
        await heard(gateway, witness, soon)
        gate.open.set()
        assert (await peer.reply(1))["connect"]["ttl"] > 500
        assert peer.pushes == []
        assert 0 < (await peer.push())["refresh"]["ttl"] <= 60
        await peer.leave()


async def test_subscribed_while_connecting(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """What a server has it hear comes when it is in, but for what it is about to hear anyway."""
    cookie = cookie_of(alice)
    async with CentrifugePeer(cookie) as witness:
        gate, peer = Gate(gateway), CentrifugePeer(cookie)
        await peer.opens()
        await peer.send(peer.command("connect"))
        await gate.reached.wait()
        for channel in ("announcements:all", LOBBY):
            await heard(gateway, witness, Subscribe(user=str(alice.pk), channel=channel))
        gate.open.set()
        assert set((await peer.reply(1))["connect"]["subs"]) == {
            f"user:{alice.pk}",
            "announcements:all",
        }
        assert peer.pushes == []
        push = await peer.push()
        assert (push["channel"], push["subscribe"]["positioned"]) == (LOBBY, True)
        await gateway.database.run(do_send_message, alice, "lobby", "hi")
        assert (await peer.publication())["offset"] == 1
        await peer.leave()
    assert served(gateway) == set()


async def test_disconnected_while_connecting(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """That waits for nothing."""
    cookie = cookie_of(alice)
    async with CentrifugePeer(cookie) as witness:
        gate, peer = Gate(gateway), CentrifugePeer(cookie)
        await peer.opens()
        await peer.send(peer.command("connect"))
        await gate.reached.wait()
        spared = [witness.welcome["client"]]
        control = Disconnect(user=str(alice.pk), code=3503, reason="go", whitelist=spared)
        await gateway.database.run(do_control, control)
        event = await peer.communicator.receive_output(10)
        assert "disconnect" in event["text"]
        assert (await peer.communicator.receive_output(10))["code"] == 3503
        gate.open.set()
        await peer.leave()


async def test_more_than_can_wait(gateway: Gateway, alice: User, cookie_of: CookieOf) -> None:
    """Its client comes back, and finds what has become of all of it."""
    cookie = cookie_of(alice)
    gate, peer = Gate(gateway), CentrifugePeer(cookie)
    await peer.opens()
    await peer.send(peer.command("connect"))
    await gate.reached.wait()
    [connection] = gateway.revocations.of(alice.pk)
    for _ in range(129):
        connection.obey(Refresh(user=str(alice.pk)))
    gate.open.set()
    assert await peer.closed() == (3011, "force reconnect")


async def test_server_changes_its_mind(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """What was ended before it had begun never begins, and nothing is told of it."""
    cookie = cookie_of(alice)
    async with CentrifugePeer(cookie) as witness, CentrifugePeer(cookie) as peer:
        name = peer.welcome["client"]
        gate = Gate(gateway)
        user = str(alice.pk)
        await gateway.database.run(do_control, Subscribe(user=user, client=name, channel=LOBBY))
        await gate.reached.wait()
        end = Unsubscribe(user=user, client=name, channel=LOBBY, code=2000, reason="no")
        await heard(gateway, witness, end)
        gate.open.set()
        await eventually(lambda: LOBBY not in served(gateway))
        assert "subscribe" in await peer.ask("subscribe", channel=LOBBY)
        assert peer.pushes == []


async def test_client_leaves_what_a_server_is_about_to_make(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """It has no use for it, so it hears nothing of it."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        gate = Gate(gateway)
        await gateway.database.run(do_control, Subscribe(user=str(alice.pk), channel=LOBBY))
        await gate.reached.wait()
        assert (await peer.ask("unsubscribe", channel=LOBBY))["unsubscribe"] == {}
        gate.open.set()
        await eventually(lambda: LOBBY not in served(gateway))
        assert "subscribe" in await peer.ask("subscribe", channel=LOBBY)
        assert peer.pushes == []


async def test_permission_lost_while_connecting(
    gateway: Gateway, bob: User, cookie_of: CookieOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a namespace decides for itself is asked again for who is being let in, too."""
    permitted = True
    monkeypatch.setattr(TickNamespace, "can_subscribe", lambda self, user, channel: permitted)
    async with CentrifugePeer(cookie_of(bob)) as witness:
        await witness.ask("subscribe", channel="tick:game")
        gate, peer = Gate(gateway), CentrifugePeer(origin=None)
        await peer.opens()
        token = sign_connection(bob.pk, 60, channels=["tick:game"])
        await peer.send(peer.command("connect", token=token))
        await gate.reached.wait()
        permitted = False
        await gateway.database.run(do_recheck, [bob.pk])
        assert (await witness.push())["unsubscribe"]["code"] == 2000
        gate.open.set()
        await peer.reply(1)
        push = await peer.push()
        assert (push["channel"], push["unsubscribe"]["code"]) == ("tick:game", 2000)
        assert "tick:game" not in served(gateway)
        await peer.leave()
