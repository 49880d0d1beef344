from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from services.gateway.centrifuge import expiry, subscriptions
from services.gateway.database import DatabaseAway
from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.actions import (
    do_add_member,
    do_create_room,
    do_remove_member,
    do_send_message,
)
from shared.chat.models import ChatRoom
from shared.realtime.actions import do_control
from shared.realtime.controls import (
    Disconnect,
    Override,
    Refresh,
    Since,
    Subscribe,
    Unsubscribe,
)
from shared.realtime.publish import Draft, publish, publish_many
from shared.tokens.grants import Origin
from shared.tokens.signing import sign_connection
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import Peer, eventually

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
    token = sign_connection(alice.pk, 60, origin=Origin(session_key=key))
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


async def test_refresh_says_who_it_is(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Others are told so from now on, wherever the client is shown already."""
    async with CentrifugePeer(cookie_of(alice)) as hers, CentrifugePeer(cookie_of(bob)) as his:
        for peer in (hers, his):
            await peer.ask("subscribe", channel=CHANNEL, join_leave=True)
        control = Refresh(user=str(alice.pk), info={"name": "Al"})
        await gateway.database.run(do_control, control)
        assert await hers.push() == {"refresh": {}}
        answer = await his.ask("presence", channel=CHANNEL)
        found = answer["presence"]["presence"]
        assert found[hers.welcome["client"]]["conn_info"] == {"name": "Al"}
        assert found[his.welcome["client"]]["conn_info"] == {"username": "bob"}
        # It had come before, and has not come again.
        assert [(await his.change())["join"]["info"]["user"] for _ in range(2)] == [
            str(user.pk) for user in (alice, bob)
        ]
        await his.ask("unsubscribe", channel=CHANNEL)
        assert his.changes == []


async def test_what_a_server_made_ends(
    gateway: Gateway,
    alice: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No library renews it, so the connection ends with it, and comes back without."""
    monkeypatch.setattr(expiry, "LATE_SECONDS", 0.0)
    async with CentrifugePeer(cookie_of(alice)) as peer:
        control = Subscribe(user=str(alice.pk), channel=CHANNEL, expire_at=int(time.time()) + 1)
        await gateway.database.run(do_control, control)
        assert (await peer.push())["channel"] == CHANNEL
        assert await peer.closed() == (3006, "subscription expired")


async def test_two_end_at_the_same_moment(
    gateway: Gateway,
    alice: User,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first one ends the connection, and the second finds nothing to end."""
    monkeypatch.setattr(expiry, "LATE_SECONDS", 0.0)
    end = int(time.time()) + 1
    async with CentrifugePeer(cookie_of(alice)) as peer:
        for channel in ("poll:a", "poll:b"):
            control = Subscribe(user=str(alice.pk), channel=channel, expire_at=end)
            await gateway.database.run(do_control, control)
            assert (await peer.push())["channel"] == channel
        assert await peer.closed() == (3006, "subscription expired")
        # Both are due by now, and timers that are due run before this.
        await asyncio.sleep(max(0.0, end - time.time()))
    assert "KeyError" not in caplog.text


async def test_database_is_away_when_a_server_wants_something_heard(
    gateway: Gateway, alice: User, cookie_of: CookieOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client cannot ask for it, so it is tried until it is heard."""
    monkeypatch.setattr(subscriptions, "_RETRY_SECONDS", 0.01)
    recover = gateway.arrivals.recover
    attempts = 0

    async def away_at_first(*asked: Any) -> Any:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise DatabaseAway("not yet")
        return await recover(*asked)

    async with CentrifugePeer(cookie_of(alice)) as peer:
        monkeypatch.setattr(gateway.arrivals, "recover", away_at_first)
        control = Subscribe(user=str(alice.pk), channel="poll:a")
        await gateway.database.run(do_control, control)
        assert (await peer.push())["channel"] == "poll:a"
        await gateway.database.run(publish, "poll:a", {"choice": "yes"})
        assert (await peer.publication())["data"] == {"choice": "yes"}


async def test_hook_fails_when_a_server_wants_something_heard(
    gateway: Gateway,
    alice: User,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is in the log, and costs that channel alone."""

    async def broken(*asked: Any) -> Any:
        raise ZeroDivisionError

    async with CentrifugePeer(cookie_of(alice)) as peer:
        with monkeypatch.context() as patched:
            patched.setattr(gateway.arrivals, "recover", broken)
            control = Subscribe(user=str(alice.pk), channel="poll:a")
            await gateway.database.run(do_control, control)
            await eventually(lambda: "subscription to poll:a failed" in caplog.text)
        assert "subscribe" in await peer.ask("subscribe", channel="poll:a")


async def test_much_was_missed(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """It comes in order, and in few frames."""
    drafts = [Draft(CHANNEL, {"n": number}) for number in range(100)]
    await gateway.database.run(publish_many, drafts)
    async with CentrifugePeer(cookie_of(alice)) as peer:
        control = Subscribe(user=str(alice.pk), channel=CHANNEL, recover_since=Since(offset=0))
        await gateway.database.run(do_control, control)
        frames = [await peer.communicator.receive_from(10) for _ in range(7)]
        first, *rest = (json.loads(each)["push"] for each in "\n".join(frames).split("\n"))
        assert "subscribe" in first
        assert [each["pub"]["offset"] for each in rest] == list(range(1, 101))


async def test_nothing_is_given_that_a_namespace_does_not_have(
    gateway: Gateway, alice: User, cookie_of: CookieOf, caplog: pytest.LogCaptureFixture
) -> None:
    """No gateway keeps who is there; that an override wants it is in the log, once."""
    wanted = Override(presence=True, join_leave=True)
    async with CentrifugePeer(cookie_of(alice)) as peer:
        for topic in "xy":
            channel = f"poll:{topic}"
            control = Subscribe(user=str(alice.pk), channel=channel, override=wanted)
            await gateway.database.run(do_control, control)
            assert (await peer.push())["channel"] == channel
            assert await peer.error("presence", channel=channel) == 108
    said = [each.getMessage() for each in caplog.records if "override" in each.getMessage()]
    assert len(said) == 2
    assert all("'poll'" in each for each in said)
