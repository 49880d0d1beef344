"""What unmodified SDKs do at a running stack: every command, and what others hear of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.client import Session
from tests.sdk.client import CommandFailed, Event, Position, SdkClient, websocket_url
from tests.sdk.conftest import EachSdk, MakeClient
from tests.sdk.room import Room, message_of, user_id_of
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


async def test_a_signed_in_browser(stack: RunningStack, sdk: MakeClient) -> None:
    """The session cookie is enough, and what is for this user comes without being asked for."""
    alice = Session(stack.url, "alice")
    client = sdk("alice")
    await client.enter(websocket_url(stack.url), alice)
    for channel in (f"user:{user_id_of(alice)}", "announcements:all"):
        subscribed = await client.next_of("subscribed", channel)
        assert subscribed["server_side"]
        assert subscribed["recoverable"]
        assert subscribed["position"]["epoch"]


async def test_publications(stack: RunningStack, sdk: MakeClient) -> None:
    """Both gateways' subscribers hear both speakers, in the log's order."""
    people = [Session(stack.url, name) for name in ("alice", "bob")]
    room = Room(stack, people[0])
    clients = [sdk("alice"), sdk("bob")]
    for number, (client, person) in enumerate(zip(clients, people, strict=True), start=1):
        await client.enter(websocket_url(stack.gateway_url(number)), person)
        subscribed = await client.join(room.channel)
        assert not subscribed["was_recovering"]
        assert subscribed["recoverable"]
    for client in clients:
        await room.say(client, 3)
    log = room.log()
    assert [log.messages[offset] for offset in sorted(log.messages)] == room.acked
    for client in clients:
        await client.next_of("publication", room.channel, number=6)
        heard = client.heard(room.channel)
        assert {each["offset"]: message_of(each["data"]) for each in heard} == log.messages
        assert [each["offset"] for each in heard] == sorted(log.messages)
        assert [each["data"]["username"] for each in heard] == ["alice"] * 3 + ["bob"] * 3


async def test_history(stack: RunningStack, sdk: MakeClient) -> None:
    """Pages from either end and from a position; a position of another life is an error."""
    alice = Session(stack.url, "alice")
    room = Room(stack, alice)
    client = sdk("alice")
    await client.enter(websocket_url(stack.url), alice)
    await client.join(room.channel)
    await room.say(client, 5)

    async def offsets(limit: int, since: int | None = None, reverse: bool = False) -> list[int]:
        position = None if since is None else Position(since, epoch)
        page = await client.history(room.channel, limit=limit, since=position, reverse=reverse)
        assert page.position == Position(5, epoch)
        return [publication["offset"] for publication in page.publications]

    epoch = (await client.history(room.channel)).position.epoch
    assert epoch == room.log().epoch
    assert await offsets(0) == []
    assert await offsets(-1) == [1, 2, 3, 4, 5]
    assert await offsets(2) == [1, 2]
    assert await offsets(2, since=3) == [4, 5]
    assert await offsets(2, reverse=True) == [5, 4]
    assert await offsets(-1, since=3, reverse=True) == [2, 1]
    page = await client.history(room.channel, limit=-1)
    assert [message_of(each["data"]) for each in page.publications] == room.acked
    with pytest.raises(CommandFailed) as failed:
        await client.history(room.channel, limit=1, since=Position(3, "another"))
    assert failed.value.code == 112
    with pytest.raises(CommandFailed) as failed:
        await client.history(room.channel, limit=1, since=Position(0, epoch), reverse=True)
    assert failed.value.code == 107


async def test_presence(stack: RunningStack, each_sdk: EachSdk) -> None:
    """Everybody in the room is seen from both gateways, one user's two tabs as one user."""

    async def conversation(sdk: MakeClient) -> None:
        alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
        room = Room(stack, alice)
        first, second, other = sdk("alice's tab"), sdk("alice's other tab"), sdk("bob")
        for client, person, gateway in ((first, alice, 1), (second, alice, 2), (other, bob, 2)):
            await client.enter(websocket_url(stack.gateway_url(gateway)), person)
            await client.join(room.channel)

        async def until_present(*clients: SdkClient, seen_by: SdkClient) -> None:
            # A client that has gone is shown until it is certain that its user is not coming back.
            expected = {client.client_id for client in clients}
            async with asyncio.timeout(30):
                while set(await seen_by.presence(room.channel)) != expected:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)

        for client in (first, other):
            await until_present(first, second, other, seen_by=client)
            present = await client.presence(room.channel)
            assert present[first.client_id]["user"] == user_id_of(alice)
            assert present[other.client_id]["user"] == user_id_of(bob)
            assert await client.presence_stats(room.channel) == (3, 2)
        await second.disconnect()
        for client in (first, other):
            await until_present(first, other, seen_by=client)
            assert await client.presence_stats(room.channel) == (2, 2)
        await first.unsubscribe(room.channel)
        await until_present(other, seen_by=other)
        assert await other.presence_stats(room.channel) == (1, 1)

    await each_sdk(conversation)


async def test_join_and_leave(stack: RunningStack, sdk: MakeClient) -> None:
    """Who asks for it hears of others who come and go, on whichever gateway they are."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = Room(stack, alice)
    host, guest = sdk("alice"), sdk("bob")
    await host.enter(websocket_url(stack.gateway_url(1)), alice)
    await host.join(room.channel, join_leave=True)
    await guest.enter(websocket_url(stack.gateway_url(2)), bob)
    await guest.join(room.channel)

    def about_guest(kind: str) -> list[Event]:
        events = host.of(kind, room.channel)
        return [event for event in events if event["info"]["client"] == guest.client_id]

    await host.wait_for(lambda _: about_guest("join"), what="bob's join")
    assert about_guest("join")[0]["info"]["user"] == user_id_of(bob)
    await guest.unsubscribe(room.channel)
    await host.wait_for(lambda _: about_guest("leave"), what="bob's leave")
    assert about_guest("leave")[0]["info"]["user"] == user_id_of(bob)


async def test_joins_are_for_those_who_ask(stack: RunningStack, sdk: MakeClient) -> None:
    """Without `join_leave` in its subscription a client hears of nobody."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = Room(stack, alice)
    asking, plain = sdk("alice"), sdk("bob")
    await asking.enter(websocket_url(stack.gateway_url(1)), alice)
    await asking.join(room.channel, join_leave=True)
    await plain.enter(websocket_url(stack.gateway_url(1)), bob)
    await plain.join(room.channel)
    await asking.next_of("join", room.channel, number=2)
    # What was sent to it before this has come.
    await room.say(asking)
    await plain.next_of("publication", room.channel)
    assert plain.of("join", room.channel) == []


async def test_unsubscribed_by_the_client(stack: RunningStack, sdk: MakeClient) -> None:
    """Nothing is heard after leaving; who comes back hears what was said meanwhile."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = Room(stack, alice)
    reader, speaker = sdk("alice"), sdk("bob")
    for client, person in ((reader, alice), (speaker, bob)):
        await client.enter(websocket_url(stack.url), person)
        await client.join(room.channel)
    await room.say(speaker, 2)
    await reader.next_of("publication", room.channel, number=2)
    await reader.unsubscribe(room.channel)
    unsubscribed = await reader.next_of("unsubscribed", room.channel)
    assert unsubscribed["code"] == 0
    await room.say(speaker, 2)
    assert len(reader.heard(room.channel)) == 2
    back = await reader.join(room.channel)
    assert (back["was_recovering"], back["recovered"]) == (True, True)
    await reader.next_of("publication", room.channel, number=4)
    assert [message_of(each["data"]) for each in reader.heard(room.channel)] == room.acked


async def test_rpc_that_is_sent_again(stack: RunningStack, sdk: MakeClient) -> None:
    """`chat.send` with the client's own id stores once, through whichever gateway it comes."""
    alice = Session(stack.url, "alice")
    room = Room(stack, alice)
    clients = [sdk("first"), sdk("second")]
    for number, client in enumerate(clients, start=1):
        await client.enter(websocket_url(stack.gateway_url(number)), alice)
        await client.join(room.channel)
    words = {"room": room.name, **room.words()}
    answers = [await client.rpc("chat.send", words) for client in (*clients, *clients)]
    assert [answer["repeated"] for answer in answers] == [False, True, True, True]
    assert {(answer["offset"], answer["epoch"]) for answer in answers} == {(1, room.log().epoch)}
    assert room.log().messages == {1: words["client_id"]}
    with pytest.raises(CommandFailed) as failed:
        await clients[0].rpc("chat.send", {**words, "message": "something else"})
    assert failed.value.code == 409
    # Whatever came of the repetitions came before this.
    await room.say(clients[0])
    for client in clients:
        await client.next_of("publication", room.channel, number=2)
        assert [event["offset"] for event in client.heard(room.channel)] == [1, 2]


async def test_unknown_rpc(stack: RunningStack, sdk: MakeClient) -> None:
    """A method that nobody has is an error of its own, and the connection stays."""
    alice = Session(stack.url, "alice")
    client = sdk("alice")
    await client.enter(websocket_url(stack.url), alice)
    with pytest.raises(CommandFailed) as failed:
        await client.rpc("no.such", {})
    assert failed.value.code == 104
    with pytest.raises(CommandFailed) as failed:
        await client.rpc("no.such", {"again": True})
    assert failed.value.code == 104
    assert client.of("disconnected") == []


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        pytest.param("chat:no-such-room", 103, id="no-such-room"),
        pytest.param("chat:{foreign}", 103, id="foreign-room"),
        pytest.param("user:1000000", 103, id="another-user"),
        pytest.param("nobody:knows", 102, id="undeclared-namespace"),
        pytest.param("chat:lobby ", 107, id="no-channel-name"),
    ],
)
async def test_refused_subscription(
    stack: RunningStack, sdk: MakeClient, channel: str, code: int
) -> None:
    """The subscription ends with the error's code, for good, and the connection stays."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    foreign = Room(stack, bob, members_only=True)
    channel = channel.format(foreign=foreign.name)
    client = sdk("alice")
    await client.enter(websocket_url(stack.url), alice)
    await client.subscribe(channel)
    unsubscribed = await client.next_of("unsubscribed", channel)
    assert unsubscribed["code"] == code
    assert unsubscribed["reason"]
    with pytest.raises(CommandFailed) as failed:
        await client.publish(channel, foreign.words())
    assert failed.value.code == code
    with pytest.raises(CommandFailed) as failed:
        await client.history(channel, limit=1)
    assert failed.value.code == code
    assert client.of("disconnected") == []


async def test_refused_publication(stack: RunningStack, sdk: MakeClient) -> None:
    """What a namespace does not take is an error with words for a person; nothing is stored."""
    alice = Session(stack.url, "alice")
    room = Room(stack, alice)
    client = sdk("alice")
    await client.enter(websocket_url(stack.url), alice)
    await client.join(room.channel)
    refused: list[Any] = [{}, {"message": ""}, {"message": "x" * 8_001}, {"message": 7}, [], "no"]
    for data in refused:
        with pytest.raises(CommandFailed) as failed:
            await client.publish(room.channel, data)
        assert failed.value.code in {107, 400}
        assert failed.value.message
    assert room.log().messages == {}


async def test_nobody_in_particular(stack: RunningStack, sdk: MakeClient) -> None:
    """Who is not signed in and has no token is sent away, and does not come back by itself."""
    client = sdk("nobody")
    await client.create(websocket_url(stack.url), headers={"Origin": stack.url})
    await client.connect()
    ended = await client.next_of("disconnected")
    assert ended["code"] == 3501
    assert ended["reason"]
    assert client.of("connected") == []


async def test_cookie_without_origin(stack: RunningStack, sdk: MakeClient) -> None:
    """A cookie that comes without an Origin is nobody's."""
    alice = Session(stack.url, "alice")
    client = sdk("alice")
    await client.create(websocket_url(stack.url), headers={"Cookie": alice.cookie})
    await client.connect()
    assert (await client.next_of("disconnected"))["code"] == 3501
