from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.conf import LazySettings

from services.gateway.centrifuge import expiry
from services.gateway.runtime import Gateway
from shared.accounts.actions import do_ban
from shared.accounts.models import User
from shared.chat.actions import do_add_member, do_create_room, do_remove_member
from shared.chat.models import ChatRoom
from shared.realtime.streams import touch
from shared.tokens.signing import sign_connection, sign_subscription
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.shared.tokens import makers

type CookieOf = Callable[[User], str]

CHANNEL = "chat:lobby"
TOLD = {"force_push_join_leave": {"value": True}}


def with_token(token: str) -> CentrifugePeer:
    """A program: it has no cookie, and no Origin."""
    return CentrifugePeer(origin=None, connect={"token": token})


async def test_token_is_who_it_is(gateway: Gateway, alice: User, lobby: ChatRoom) -> None:
    """Without a session; it says until when it is good, and what others are told."""
    token = sign_connection(alice.pk, 60, info={"name": "Al"}, channels=[CHANNEL])
    async with with_token(token) as peer:
        assert peer.welcome["expires"] is True
        assert 55 <= peer.welcome["ttl"] <= 60
        assert set(peer.welcome["subs"]) == {f"user:{alice.pk}", "announcements:all", CHANNEL}
        info = {
            "user": str(alice.pk),
            "client": peer.welcome["client"],
            "conn_info": {"name": "Al"},
        }
        answer = await peer.ask("presence", channel=CHANNEL)
        assert answer["presence"]["presence"] == {peer.welcome["client"]: info}
        await peer.ask("publish", channel=CHANNEL, data={"message": "hi"})
        assert (await peer.publication())["data"]["username"] == "alice"


async def test_expired_token_wants_another(gateway: Gateway, alice: User) -> None:
    """The client's library fetches one when it hears this code."""
    peer = with_token("")
    await peer.opens()
    token = sign_connection(alice.pk, 60, now=time.time() - 3_600)
    assert await peer.error("connect", token=token) == 109
    assert (await peer.closed())[0] == 3000


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 20_000])
async def test_what_is_no_token_of_ours(gateway: Gateway, token: str) -> None:
    """It will not get better: the client is to stay away."""
    peer = with_token("")
    await peer.opens()
    await peer.send(peer.command("connect", token=token))
    assert await peer.closed() == (3500, "invalid token")


async def test_token_of_an_account_that_is_gone(gateway: Gateway) -> None:
    """Nobody stands behind it anymore."""
    peer = with_token("")
    await peer.opens()
    await peer.send(peer.command("connect", token=sign_connection(987_654, 60)))
    assert (await peer.closed())[0] == 3500


async def test_token_of_a_suspended_account(gateway: Gateway, alice: User, staff: User) -> None:
    """It is good, and its holder is not."""
    await gateway.database.run(do_ban, staff, alice, "spam")
    peer = with_token("")
    await peer.opens()
    await peer.send(peer.command("connect", token=sign_connection(alice.pk, 60)))
    assert (await peer.closed())[0] == 4503


async def test_token_brings_nobody_into_a_room_that_they_have_left(
    gateway: Gateway, alice: User, bob: User
) -> None:
    """What was permitted when we signed it is asked again."""
    room = await gateway.database.run(do_create_room, alice, "backroom", True)
    token = sign_connection(bob.pk, 60, channels=["chat:backroom"])
    subscription = sign_subscription(bob.pk, "chat:backroom", 60)
    await gateway.database.run(do_add_member, alice, room, "bob")
    async with with_token(token) as peer:
        assert "chat:backroom" in peer.welcome["subs"]
    await gateway.database.run(do_remove_member, alice, room, "bob")
    peer = with_token(token)
    await peer.opens()
    await peer.send(peer.command("connect", token=token))
    assert (await peer.closed())[0] == 3507
    async with with_token(sign_connection(bob.pk, 60)) as peer:
        wish = {"channel": "chat:backroom", "token": subscription}
        assert await peer.error("subscribe", **wish) == 103


async def test_another_servers_token_is_a_permission(
    gateway: Gateway, bob: User, backroom: ChatRoom, settings: LazySettings
) -> None:
    """Who is let into a room of others reads there, too, for as long as they hear it."""
    settings.CARILLON_TOKEN_SECRETS = [makers.SECRET]
    soon, channel = int(time.time()) + 60, backroom.channel
    token = makers.token(sub=str(bob.pk), exp=soon, channel=channel)
    async with with_token(sign_connection(bob.pk, 60)) as peer:
        methods = ("history", "presence", "presence_stats")
        for method in methods:
            assert await peer.error(method, channel=channel) == 103
        assert "subscribe" in await peer.ask("subscribe", channel=channel, token=token)
        for method in methods:
            assert method in await peer.ask(method, channel=channel)
        await peer.ask("unsubscribe", channel=channel)
        assert await peer.error("history", channel=channel) == 103


async def test_what_a_token_says_of_its_channels(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, settings: LazySettings
) -> None:
    """What the client is given with each, and what others are told of it there, if anything."""
    settings.CARILLON_TOKEN_SECRETS = [makers.SECRET]
    soon = int(time.time()) + 60
    options = {"info": {"role": "host"}, "data": {"seat": 7}, "override": TOLD}
    hers = makers.token(sub=str(alice.pk), exp=soon, subs={CHANNEL: options})
    options = {"override": {**TOLD, "presence": {"value": False}}}
    his = makers.token(sub=str(bob.pk), exp=soon, subs={CHANNEL: options})
    async with with_token(his) as two, with_token(hers) as one:
        subscription = one.welcome["subs"][CHANNEL]
        assert (subscription["data"], subscription["positioned"]) == ({"seat": 7}, True)
        shown = (await two.change())["join"]["info"]
        assert (shown["user"], shown["chan_info"]) == (str(alice.pk), {"role": "host"})
        found = (await two.ask("presence", channel=CHANNEL))["presence"]["presence"]
        assert set(found) == {one.welcome["client"]}


async def test_a_token_may_keep_joins_away(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, settings: LazySettings
) -> None:
    """Also from a client that asks for them; and nobody is told of one that is not shown."""
    settings.CARILLON_TOKEN_SECRETS = [makers.SECRET]
    soon = int(time.time()) + 60
    override = {"join_leave": {"value": False}, "presence": {"value": False}}
    token = makers.token(sub=str(alice.pk), exp=soon, channel=CHANNEL, override=override)
    async with with_token(sign_connection(alice.pk, 60)) as hers:
        await hers.ask("subscribe", channel=CHANNEL, token=token, join_leave=True)
        async with with_token(sign_connection(bob.pk, 60)) as his:
            await his.ask("subscribe", channel=CHANNEL, join_leave=True)
            assert (await his.change())["join"]["info"]["user"] == str(bob.pk)
            found = (await his.ask("presence", channel=CHANNEL))["presence"]["presence"]
            assert set(found) == {his.welcome["client"]}
            await his.ask("publish", channel=CHANNEL, data={"message": "hi"})
            # His join, told to all in one step, would have come before it.
            await hers.publication()
            assert hers.changes == []


async def test_refresh_moves_the_end(
    gateway: Gateway, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token of the same user; without one in time the connection ends."""
    monkeypatch.setattr(expiry, "LATE_SECONDS", 0.0)
    async with with_token(sign_connection(alice.pk, 60)) as peer:
        answer = (await peer.ask("refresh", token=sign_connection(alice.pk, 600)))["refresh"]
        assert answer["client"] == peer.welcome["client"]
        assert answer["expires"] is True
        assert 595 <= answer["ttl"] <= 600
        await peer.ask("refresh", token=sign_connection(alice.pk, 1))
        assert await peer.closed() == (3005, "connection expired")


async def test_refresh_with_an_expired_token(gateway: Gateway, alice: User) -> None:
    """The client's library comes back with another; an error would be the end for it."""
    async with with_token(sign_connection(alice.pk, 60)) as peer:
        old = sign_connection(alice.pk, 60, now=time.time() - 3_600)
        await peer.send(peer.command("refresh", token=old))
        assert await peer.closed() == (3005, "connection expired")


async def test_refresh_with_another_users_token(gateway: Gateway, alice: User, bob: User) -> None:
    """Nobody becomes somebody else."""
    async with with_token(sign_connection(alice.pk, 60)) as peer:
        await peer.send(peer.command("refresh", token=sign_connection(bob.pk, 60)))
        assert (await peer.closed())[0] == 3500


async def test_refresh_with_a_token_for_other_channels(
    gateway: Gateway, alice: User, settings: LazySettings
) -> None:
    """It comes back, and hears what the new one names."""
    settings.CARILLON_TOKEN_SECRETS = [makers.SECRET]
    soon = int(time.time()) + 60
    named = makers.token(sub=str(alice.pk), exp=soon, channels=["poll:a", "poll:b"])
    async with with_token(named) as peer:
        again = makers.token(sub=str(alice.pk), exp=soon + 60, channels=["poll:b", "poll:a"])
        assert "refresh" in await peer.ask("refresh", token=again)
        fewer = makers.token(sub=str(alice.pk), exp=soon + 60, channels=["poll:a"])
        await peer.send(peer.command("refresh", token=fewer))
        assert await peer.closed() == (3010, "insufficient state")


async def test_nothing_is_done_after_the_end(gateway: Gateway, alice: User, bob: User) -> None:
    """Commands behind the one that ended the connection, in the same frame."""
    async with with_token(sign_connection(alice.pk, 60)) as peer:
        his = sign_subscription(bob.pk, "poll:a", 60)
        frame = [
            peer.command("subscribe", channel="poll:a", token=his),
            peer.command("publish", channel="poll:b", data={"choice": "yes"}),
        ]
        await peer.send("\n".join(frame))
        assert (await peer.closed())[0] == 3500
    assert (await gateway.database.run(touch, "poll:b")).position.offset == 0


async def test_subscription_token(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """It says until when; one of somebody else, or of another channel, ends the connection."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        token = sign_subscription(alice.pk, CHANNEL, 60, info={"role": "host"})
        wish = {"channel": CHANNEL, "token": token, "join_leave": True}
        answer = (await peer.ask("subscribe", **wish))["subscribe"]
        assert answer["expires"] is True
        assert 55 <= answer["ttl"] <= 60
        assert (await peer.change())["join"]["info"]["chan_info"] == {"role": "host"}
        await peer.ask("unsubscribe", channel=CHANNEL)
        old = sign_subscription(alice.pk, CHANNEL, 60, now=time.time() - 3_600)
        assert await peer.error("subscribe", channel=CHANNEL, token=old) == 109
        assert await peer.error("subscribe", channel=CHANNEL, token="nonsense") == 103
        his = sign_subscription(bob.pk, CHANNEL, 60)
        await peer.send(peer.command("subscribe", channel=CHANNEL, token=his))
        assert (await peer.closed())[0] == 3500


async def test_subscription_ends_with_its_token(
    gateway: Gateway,
    alice: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client hears why, and may come back with another; `sub_refresh` moves the end."""
    monkeypatch.setattr(expiry, "LATE_SECONDS", 0.0)
    async with CentrifugePeer(cookie_of(alice)) as peer:
        token = sign_subscription(alice.pk, CHANNEL, 60)
        await peer.ask("subscribe", channel=CHANNEL, token=token)
        again = sign_subscription(alice.pk, CHANNEL, 600)
        answer = (await peer.ask("sub_refresh", channel=CHANNEL, token=again))["sub_refresh"]
        assert 595 <= answer["ttl"] <= 600
        assert await peer.error("sub_refresh", channel=CHANNEL) == 107
        old = sign_subscription(alice.pk, CHANNEL, 60, now=time.time() - 3_600)
        answer = await peer.ask("sub_refresh", channel=CHANNEL, token=old)
        assert answer["error"] == {"code": 109, "message": "token expired", "temporary": True}
        short = sign_subscription(alice.pk, CHANNEL, 1)
        await peer.ask("sub_refresh", channel=CHANNEL, token=short)
        push = await peer.push()
        assert push["unsubscribe"] == {"code": 2501, "reason": "subscription expired"}
        assert await peer.error("sub_refresh", channel=CHANNEL, token=again) == 103
