from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from services.gateway.runtime import Gateway
from shared.accounts.actions import do_ban
from shared.accounts.models import User
from shared.chat.actions import do_add_member, do_create_room, do_send_message
from shared.chat.models import ChatRoom, Message
from shared.realtime import deployment
from tests.gateway.centrifuge.peer import PATH, CentrifugePeer
from tests.gateway.peer import eventually, served

type CookieOf = Callable[[User], str]

CHANNEL = "chat:lobby"


def texts(publications: list[dict[str, object]]) -> list[object]:
    return [each["data"]["message"] for each in publications]  # type: ignore[index]


async def test_session_is_who_it_is(gateway: Gateway, alice: User, cookie_of: CookieOf) -> None:
    """A signed-in user hears what is for them and the announcements, without having asked."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        assert set(peer.welcome["subs"]) == {f"user:{alice.pk}", "announcements:all"}
        for subscription in peer.welcome["subs"].values():
            assert subscription["recoverable"] is True
            assert subscription["positioned"] is True
            assert subscription["epoch"]
        assert peer.welcome["client"]
        assert (peer.welcome["ping"], peer.welcome["pong"]) == (25, True)
    assert served(gateway) == set()


async def test_nobody_is_turned_away(gateway: Gateway) -> None:
    """Without a session and without a token there is nobody to let in."""
    peer = CentrifugePeer()
    await peer.opens()
    await peer.send(peer.command("connect"))
    assert await peer.closed() == (3501, "bad request")
    assert peer.was_told


async def test_cookie_without_an_origin_counts_not(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """A program sends none, so its cookie might have been put there by anybody's page."""
    peer = CentrifugePeer(cookie_of(alice), origin=None)
    assert (await peer.opens())[0]
    await peer.send(peer.command("connect"))
    assert (await peer.closed())[0] == 3501


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver:1"])
async def test_foreign_origin_is_refused(gateway: Gateway, origin: str) -> None:
    """The handshake fails, before anything is asked."""
    peer = CentrifugePeer(origin=origin)
    assert not (await peer.opens())[0]


async def test_subprotocol(gateway: Gateway) -> None:
    """JSON is spoken with and without its name; who wants another protocol is refused."""
    peer = CentrifugePeer(subprotocols=["centrifuge-json"])
    assert await peer.opens() == (True, "centrifuge-json")
    await peer.leave()
    peer = CentrifugePeer(subprotocols=["centrifuge-protobuf"])
    assert not (await peer.opens())[0]


async def test_message_is_acknowledged_and_heard(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """The reply comes when it is stored; everybody hears it once, with its offset."""
    async with CentrifugePeer(cookie_of(alice)) as hers, CentrifugePeer(cookie_of(bob)) as his:
        for peer in (hers, his):
            answer = await peer.ask("subscribe", channel=CHANNEL)
            assert answer["subscribe"].get("offset", 0) == 0
        assert (await hers.ask("publish", channel=CHANNEL, data={"message": "hi"}))["publish"] == {}
        assert await gateway.database.run(Message.objects.count) == 1
        await hers.ask("publish", channel=CHANNEL, data={"message": "ho"})
        for peer in (hers, his):
            for offset, message in ((1, "hi"), (2, "ho")):
                heard = await peer.publication()
                assert (heard["offset"], heard["data"]["message"]) == (offset, message)
                assert heard["data"]["username"] == "alice"


async def test_connect_and_subscribe_in_one_frame(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """As browsers' libraries send them; the answers come in this order."""
    peer = CentrifugePeer(cookie_of(alice))
    await peer.opens()
    wanted = [CHANNEL, "chat:nowhere", "other:y"]
    commands = [peer.command("connect"), *(peer.command("subscribe", channel=c) for c in wanted)]
    await peer.send("\n".join(commands))
    assert "connect" in await peer.receive()
    answers: dict[int, dict[str, Any]] = {}
    while len(answers) < len(wanted):
        message = await peer.receive()
        if "id" in message:
            answers[message["id"]] = message
    assert "subscribe" in answers[2]
    assert answers[3]["error"]["code"] == 103
    assert answers[4]["error"]["code"] == 102
    await peer.leave()


async def test_recovery_is_exactly_what_was_missed(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """In order, once, and the live ones follow without a hole."""
    for number in range(5):
        await gateway.database.run(do_send_message, alice, "lobby", f"m{number}")
    async with CentrifugePeer(cookie_of(alice)) as peer:
        first = (await peer.ask("subscribe", channel=CHANNEL))["subscribe"]
        assert (first["offset"], "publications" in first) == (5, False)
        await peer.ask("unsubscribe", channel=CHANNEL)
        again = (
            await peer.ask(
                "subscribe", channel=CHANNEL, recover=True, epoch=first["epoch"], offset=2
            )
        )["subscribe"]
        assert (again["recovered"], again["was_recovering"], again["offset"]) == (True, True, 2)
        assert texts(again["publications"]) == ["m2", "m3", "m4"]
        await gateway.database.run(do_send_message, alice, "lobby", "m5")
        assert (await peer.publication())["offset"] == 6


@pytest.mark.parametrize(("offset", "epoch"), [(99, None), (2, "other"), (0, "_")])
async def test_lost_position_is_said(
    gateway: Gateway,
    alice: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    offset: int,
    epoch: str | None,
) -> None:
    """From the future, or of another life: no `recovered`, or error 112 where that is wished."""
    for number in range(3):
        await gateway.database.run(do_send_message, alice, "lobby", f"m{number}")
    async with CentrifugePeer(cookie_of(alice)) as peer:
        now = (await peer.ask("subscribe", channel=CHANNEL))["subscribe"]
        await peer.ask("unsubscribe", channel=CHANNEL)
        wish = {"channel": CHANNEL, "recover": True, "offset": offset}
        wish["epoch"] = now["epoch"] if epoch is None else epoch
        assert await peer.error("subscribe", **wish, flag=2) == 112
        answer = (await peer.ask("subscribe", **wish))["subscribe"]
        assert "recovered" not in answer
        assert "publications" not in answer
        assert (answer["was_recovering"], answer["offset"]) == (True, 3)


async def test_position_without_an_epoch_is_one_of_this_life(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """The protocol takes it for whatever epoch there is."""
    await gateway.database.run(do_send_message, alice, "lobby", "m0")
    async with CentrifugePeer(cookie_of(alice)) as peer:
        answer = await peer.ask("subscribe", channel=CHANNEL, recover=True)
        assert answer["subscribe"]["recovered"] is True
        assert texts(answer["subscribe"]["publications"]) == ["m0"]


async def test_server_side_subscriptions_recover(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A client that comes back names its places in `connect`."""
    own = f"user:{bob.pk}"
    async with CentrifugePeer(cookie_of(bob)) as peer:
        place = peer.welcome["subs"][own]
    await gateway.database.run(do_send_message, alice, "lobby", "@bob look")
    subs = {own: {"recover": True, "epoch": place["epoch"], "offset": place.get("offset", 0)}}
    async with CentrifugePeer(cookie_of(bob), connect={"subs": subs}) as peer:
        again = peer.welcome["subs"][own]
        assert again["recovered"] is True
        assert len(again["publications"]) == 1


async def test_permission_is_asked(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """A room of others is as foreign as one that is not there, until one is let in."""
    room = await gateway.database.run(do_create_room, alice, "backroom", True)
    async with CentrifugePeer(cookie_of(bob)) as peer:
        for channel in ("chat:backroom", "chat:nowhere", f"user:{alice.pk}"):
            assert await peer.error("subscribe", channel=channel) == 103
            assert await peer.error("history", channel=channel, limit=5) == 103
            assert await peer.error("publish", channel=channel, data={"message": "x"}) == 103
        await gateway.database.run(do_add_member, alice, room, "bob")
        assert "subscribe" in await peer.ask("subscribe", channel="chat:backroom")


async def test_history_pages(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Position alone, the first, after a place, the newest, and a place of another life."""
    for number in range(5):
        await gateway.database.run(do_send_message, alice, "lobby", f"m{number}")
    async with CentrifugePeer(cookie_of(alice)) as peer:

        async def page(**more: object) -> dict[str, object]:
            answer = await peer.ask("history", channel=CHANNEL, **more)
            found: dict[str, object] = answer["history"]
            assert found["offset"] == 5
            return found

        nothing = await page()
        assert nothing["publications"] == []
        assert texts((await page(limit=2))["publications"]) == ["m0", "m1"]  # type: ignore[arg-type]
        since = {"offset": 3, "epoch": nothing["epoch"]}
        after = await page(limit=-1, since=since)
        assert texts(after["publications"]) == ["m3", "m4"]  # type: ignore[arg-type]
        newest = await page(limit=2, reverse=True)
        assert texts(newest["publications"]) == ["m4", "m3"]  # type: ignore[arg-type]
        other = {"offset": 3, "epoch": "other"}
        assert await peer.error("history", channel=CHANNEL, limit=1, since=other) == 112


async def test_unsubscribed_channel_is_silent(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """No publication follows the reply; leaving twice, or what was never heard, is no error."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await peer.ask("subscribe", channel=CHANNEL)
        for _ in range(2):
            assert (await peer.ask("unsubscribe", channel=CHANNEL))["unsubscribe"] == {}
        assert CHANNEL not in served(gateway)
        await peer.ask("publish", channel=CHANNEL, data={"message": "unheard"})
        assert peer.pushes == []
        assert await peer.error("subscribe", channel=f"user:{alice.pk}") == 105


async def test_refused_message_says_why(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """The namespace's words, and the connection stays."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        for data, code in (({}, 107), ({"message": 7}, 107), ({"message": "x" * 8_001}, 400)):
            assert await peer.error("publish", channel=CHANNEL, data=data) == code
        announcement = {"message": "hear me"}
        assert await peer.error("publish", channel="announcements:all", data=announcement) == 103
        assert await peer.error("presence", channel="announcements:all") == 108


@pytest.mark.parametrize(
    "frame",
    ["", "nonsense", "[]", "{}", '{"id":9,"connect":{}}', '{"id":9,"ping":{}}', '{"id":9}'],
)
async def test_what_is_no_command_ends_the_connection(
    gateway: Gateway, alice: User, cookie_of: CookieOf, frame: str
) -> None:
    """With a push that says why, as proxies and servers drop the reasons of close frames."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await peer.send(frame)
        assert await peer.closed() == (3501, "bad request")
        assert peer.was_told


async def test_binary_frame(gateway: Gateway, alice: User, cookie_of: CookieOf) -> None:
    """JSON comes as text."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await peer.communicator.send_input({"type": "websocket.receive", "bytes": b"{}"})
        assert (await peer.closed())[0] == 3501


async def test_who_says_nothing_is_not_kept(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first command comes soon, or the connection ends."""
    monkeypatch.setattr("services.gateway.centrifuge.client._CONNECT_SECONDS", 0.05)
    peer = CentrifugePeer()
    await peer.opens()
    assert await peer.closed() == (3502, "stale")


async def test_ban_ends_the_connection(
    gateway: Gateway, alice: User, staff: User, cookie_of: CookieOf
) -> None:
    """At once, with its code."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await gateway.database.run(do_ban, staff, alice, "spam")
        assert (await peer.closed())[0] == 4503


async def test_restored_database(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A channel with another numbering is left: its client comes back and hears that it lost."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        before = (await peer.ask("subscribe", channel=CHANNEL))["subscribe"]
        await gateway.database.run(deployment.renew)
        live = gateway.repair.hub.get(CHANNEL)
        assert live is not None
        await gateway.repair.level(live)
        push = await peer.push()
        assert push["channel"] == CHANNEL
        assert push["unsubscribe"] == {"code": 2500, "reason": "insufficient state"}
        again = await peer.ask(
            "subscribe", channel=CHANNEL, recover=True, epoch=before["epoch"], offset=0
        )
        assert "recovered" not in again["subscribe"]
        assert again["subscribe"]["epoch"] != before["epoch"]
        await peer.ask("publish", channel=CHANNEL, data={"message": "new life"})
        assert (await peer.publication())["data"]["message"] == "new life"


async def test_own_channel_of_a_restored_database(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """What was made for a client has no other way back than a new connection."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await gateway.database.run(deployment.renew)
        live = gateway.repair.hub.get(f"user:{alice.pk}")
        assert live is not None
        await gateway.repair.level(live)
        assert (await peer.closed())[0] == 3010


async def test_presence_is_who_is_there(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Each client in it, and how many; those who hear it are told who comes."""
    async with CentrifugePeer(cookie_of(alice)) as hers, CentrifugePeer(cookie_of(bob)) as his:
        for peer in (hers, his):
            await peer.ask("subscribe", channel=CHANNEL, join_leave=True)
        names = [peer.welcome["client"] for peer in (hers, his)]
        came = [(await hers.change())["join"]["info"] for _ in names]
        people = {
            names[0]: {"user": str(alice.pk), "client": names[0]},
            names[1]: {"user": str(bob.pk), "client": names[1]},
        }
        assert {each["client"]: each for each in came} == people
        answer = await his.ask("presence", channel=CHANNEL)
        assert answer["presence"]["presence"] == people
        answer = await his.ask("presence_stats", channel=CHANNEL)
        assert answer["presence_stats"] == {"num_clients": 2, "num_users": 2}
        assert await his.error("presence", channel=f"user:{alice.pk}") == 103
        await hers.ask("unsubscribe", channel=CHANNEL)
        answer = await his.ask("presence_stats", channel=CHANNEL)
        assert answer["presence_stats"] == {"num_clients": 1, "num_users": 1}


async def test_message_sent_again_is_stored_once(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """`publish` has no name for a message; `chat.send` has, and answers with its place."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await peer.ask("subscribe", channel=CHANNEL)
        data = {"room": "lobby", "message": "hi", "client_id": "m-1"}
        first, again = [
            (await peer.ask("rpc", method="chat.send", data=data))["rpc"]["data"] for _ in range(2)
        ]
        assert again == {**first, "repeated": True}
        assert (first["offset"], first["repeated"]) == (1, False)
        assert (await peer.publication())["offset"] == 1
        other = {**data, "message": "something else"}
        assert await peer.error("rpc", method="chat.send", data=other) == 409
        assert await peer.error("rpc", method="chat.send", data={"room": "lobby"}) == 107
        assert await peer.error("rpc", method="no.such", data={}) == 104
    assert await gateway.database.run(Message.objects.count) == 1


async def test_nothing_stays_of_a_client_that_vanishes(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Also while it subscribes."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await peer.send(peer.command("subscribe", channel=CHANNEL))
        await asyncio.sleep(0)
    await eventually(lambda: served(gateway) == set())


def test_pages_do_not_answer_there(client: Client) -> None:
    """It is the gateway's path alone."""
    assert client.get(PATH).status_code == 404
