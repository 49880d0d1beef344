from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest
from django.test import Client
from prometheus_client import REGISTRY

from services.gateway.runtime import Gateway
from shared.accounts.actions import do_ban
from shared.accounts.models import User
from shared.chat.actions import do_add_member, do_create_room, do_send_message
from shared.chat.models import ChatRoom, Message
from shared.realtime import deployment
from shared.tokens.signing import sign_connection, sign_subscription
from tests.gateway.centrifuge.gate import Gate
from tests.gateway.centrifuge.peer import PATH, CentrifugePeer
from tests.gateway.peer import served
from tests.team.namespaces import TickNamespace

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
    code, reason = await peer.closed()
    assert code == 3501
    assert reason.startswith("nobody: bring a token")


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
        assert live.position is not None
        await gateway.repair.level(live, live.position)
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
        assert live.position is not None
        await gateway.repair.level(live, live.position)
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
            name: {
                "user": str(user.pk),
                "client": name,
                "conn_info": {"username": user.username},
            }
            for name, user in zip(names, (alice, bob), strict=True)
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


async def test_messages_are_stored_as_publications_are(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """By `chat.send`, too, they go through the gateway's commits, which it hears at once."""
    metric = "carillon_gateway_commit_publications_sum"
    async with CentrifugePeer(cookie_of(alice)) as peer:
        before = REGISTRY.get_sample_value(metric) or 0
        for number in range(3):
            data = {"room": "lobby", "message": "hi", "client_id": f"m-{number}"}
            await peer.ask("rpc", method="chat.send", data=data)
        assert REGISTRY.get_sample_value(metric) == before + 3
        for room in ("nowhere", "lobby ", "x" * 1000):
            assert await peer.error("rpc", method="chat.send", data={**data, "room": room}) == 103


async def test_channels_that_a_server_made_come_back(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Those that the client may hear, each by itself; the others are missing in the answer."""
    await gateway.database.run(do_create_room, alice, "backroom", True)
    for number in range(3):
        await gateway.database.run(do_send_message, alice, "lobby", f"m{number}")
    place = {"recover": True, "offset": 1}
    subs = {CHANNEL: place, "chat:backroom": place, "$chat:x": place, "tick:game": place}
    async with CentrifugePeer(cookie_of(bob), connect={"subs": subs}) as peer:
        found = peer.welcome["subs"]
        own = {f"user:{bob.pk}", "announcements:all"}
        assert set(found) == {*own, CHANNEL, "tick:game"}
        assert (found[CHANNEL]["recovered"], found[CHANNEL]["offset"]) == (True, 1)
        assert texts(found[CHANNEL]["publications"]) == ["m1", "m2"]
        assert found["tick:game"] == {"was_recovering": True}
        await gateway.database.run(do_send_message, alice, "lobby", "m3")
        assert (await peer.publication())["offset"] == 4
        assert await peer.error("subscribe", channel=CHANNEL) == 105
        assert "subscribe" in await peer.ask("subscribe", channel="poll:x")
    assert served(gateway) == set()


async def test_too_many_channels_come_back(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """Its own count, too."""
    peer = CentrifugePeer(cookie_of(alice))
    await peer.opens()
    subs: dict[str, object] = {f"tick:{number}": {} for number in range(127)}
    await peer.send(peer.command("connect", subs=subs))
    assert await peer.closed() == (3505, "channel limit")
    subs = {f"tick:{number}": {} for number in range(126)}
    async with CentrifugePeer(cookie_of(alice), connect={"subs": subs}) as other:
        assert len(other.welcome["subs"]) == 128
        assert await other.error("subscribe", channel="tick:one-more") == 106


async def test_nothing_can_be_recovered_where_nothing_is_kept(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """A client that was away hears so, or gets error 112 where it wishes that."""
    wish = {"channel": "tick:game", "recover": True, "epoch": "x", "offset": 5}
    async with CentrifugePeer(cookie_of(alice)) as peer:
        assert await peer.error("subscribe", **wish, flag=2) == 112
        answer = await peer.ask("subscribe", **wish)
        assert answer["subscribe"] == {"was_recovering": True}


@pytest.mark.parametrize("how", ["token", "subs"])
async def test_mistake_of_a_hook_while_connecting(
    gateway: Gateway,
    alice: User,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    """The client is to try again; the mistake is in the log."""

    def fail(self: object, user: User, channel: str) -> bool:
        raise ValueError("oops")

    monkeypatch.setattr(TickNamespace, "can_subscribe", fail)
    wishes: dict[str, object] = {"subs": {"tick:game": {}}}
    if how == "token":
        wishes = {"token": sign_connection(alice.pk, 60, channels=["tick:game"])}
    peer = CentrifugePeer(cookie_of(alice))
    await peer.opens()
    answer = await peer.ask("connect", **wishes)
    assert (answer["error"]["code"], answer["error"]["temporary"]) == (100, True)
    assert (await peer.closed())[0] == 3000
    assert served(gateway) == set()
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ValueError]


@pytest.mark.parametrize("when", ["connecting", "subscribing", "subscribed"])
async def test_nothing_stays_of_a_client_that_vanishes(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf, when: str
) -> None:
    """Whatever it was about to do; what its tokens allowed it does not stay, either."""
    token = sign_connection(alice.pk, 60)
    peer = CentrifugePeer()
    await peer.opens()
    if when == "connecting":
        gate = Gate(gateway)
        await peer.send(peer.command("connect", token=token))
        await gate.reached.wait()
    else:
        await peer.ask("connect", token=token)
        gate = Gate(gateway)
        guest = sign_subscription(alice.pk, CHANNEL, 60)
        await peer.send(peer.command("subscribe", channel=CHANNEL, token=guest))
        await gate.reached.wait()
        if when == "subscribed":
            gate.open.set()
            await peer.reply(2)
    there = [ref(each) for each in gateway.revocations.of(alice.pk)]
    assert len(there) == 1
    peer.communicator.future.cancel()
    await asyncio.wait({peer.communicator.future})
    assert served(gateway) == set()
    assert gateway.revocations.count(alice.pk) == 0
    del peer, gate
    # A timer of its tokens' end, say, would keep it for as long as they are good.
    assert eventually_forgotten(there)
    async with CentrifugePeer(cookie_of(bob)) as his:
        answer = await his.ask("presence_stats", channel=CHANNEL)
        assert answer["presence_stats"] == {"num_clients": 0, "num_users": 0}


def eventually_forgotten(there: list[ref[Any]]) -> bool:
    gc.collect()
    return [each() for each in there] == [None] * len(there)


def unsubscribes() -> float:
    """How many of these commands have been looked at."""
    labels = {"kind": "centrifuge", "type": "unsubscribe"}
    return REGISTRY.get_sample_value("carillon_gateway_messages_received_total", labels) or 0.0


async def test_flood_of_commands(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """Who does not wait is closed with 3013, whatever the commands; others have their turns."""
    most_at_once = 0.0

    async def another() -> None:
        nonlocal most_at_once
        judged = unsubscribes()
        while True:
            await asyncio.sleep(0)
            before, judged = judged, unsubscribes()
            most_at_once = max(most_at_once, judged - before)

    async with CentrifugePeer(cookie_of(alice)) as peer:
        other = asyncio.create_task(another())
        line = '{"id":9,"unsubscribe":{"channel":"tick:x"}}'
        await peer.send("\n".join([line] * 250))
        for _ in range(250):
            assert (await peer.receive())["unsubscribe"] == {}
        other.cancel()
        assert 0 < most_at_once <= 50
        closing = asyncio.create_task(peer.closed())
        while not closing.done():
            await peer.send("\n".join([line] * 500))
            await asyncio.sleep(0.1)
        assert await closing == (3013, "too many requests")


def test_pages_do_not_answer_there(client: Client) -> None:
    """It is the gateway's path alone."""
    assert client.get(PATH).status_code == 404


async def test_refusals_are_counted(gateway: Gateway, alice: User, cookie_of: CookieOf) -> None:
    """Whether the rules refuse a command, which asks nobody, or what the command asks."""

    def count(method: str, code: int) -> float:
        labels = {"type": method, "code": str(code)}
        name = "carillon_gateway_command_errors_total"
        return REGISTRY.get_sample_value(name, labels) or 0.0

    async with CentrifugePeer(cookie_of(alice)) as peer:
        for channel, code in (("nowhere:a", 102), ("chat:not-there", 103)):
            before = count("history", code)
            assert await peer.error("history", channel=channel) == code
            assert count("history", code) == before + 1
