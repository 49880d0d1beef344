"""How a server ends subscriptions and connections of unmodified SDKs, and what those do then."""

from __future__ import annotations

import asyncio

import pytest

from tests.client import Session
from tests.integration.test_bans import BAN, fresh_people, run
from tests.sdk.checker import check, record_of
from tests.sdk.client import websocket_url
from tests.sdk.conftest import MakeClient
from tests.sdk.room import Room, message_of
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


async def test_removed_from_a_room(stack: RunningStack, sdk: MakeClient) -> None:
    """The subscription ends with 2000, for good; the connection and its others stay."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    closed, common = Room(stack, alice, members_only=True), Room(stack, alice)
    members = f"/rooms/{closed.name}/members/"
    alice.post(members, {"action": "add", "username": "bob"})
    client = sdk("bob")
    await client.enter(websocket_url(stack.url), bob)
    await client.join(closed.channel)
    await client.join(common.channel)
    await asyncio.to_thread(alice.post, members, {"action": "remove", "username": "bob"})
    unsubscribed = await client.next_of("unsubscribed", closed.channel)
    assert unsubscribed["code"] == 2000
    assert unsubscribed["reason"]
    await common.say(client)
    await client.next_of("publication", common.channel)
    assert client.of("disconnected") == []
    assert len(client.of("subscribing", closed.channel)) == 1


async def test_banned(stack: RunningStack, sdk: MakeClient) -> None:
    """The connection ends with 4503, and the SDK stays away."""
    people = fresh_people(stack)
    banned = Session(stack.url, people["user"])
    client = sdk("banned")
    await client.enter(websocket_url(stack.url), banned)
    await asyncio.to_thread(run, stack, BAN, reason="Sold watches", **people)
    ended = await client.next_of("disconnected")
    assert ended["code"] == 4503
    assert ended["reason"]
    # The next attempt is the person's own, and it is refused before anything is told.
    await client.connect()
    assert (await client.next_of("disconnected", number=2))["code"] in {3501, 4503}
    assert len(client.of("connected")) == 1


async def test_signed_out(stack: RunningStack, sdk: MakeClient) -> None:
    """Signing out ends this session's connections with 4501; the user's other devices stay."""
    here, elsewhere = Session(stack.url, "carol"), Session(stack.url, "carol")
    leaving, staying = sdk("signed out"), sdk("other device")
    await leaving.enter(websocket_url(stack.gateway_url(1)), here)
    await staying.enter(websocket_url(stack.gateway_url(1)), elsewhere)
    await asyncio.to_thread(here.post, "/accounts/logout/", {})
    ended = await leaving.next_of("disconnected")
    assert ended["code"] == 4501
    assert ended["reason"]
    room = Room(stack, elsewhere)
    await staying.join(room.channel)
    assert staying.of("disconnected") == []


async def test_drained_gateway(stack: RunningStack, sdk: MakeClient) -> None:
    """A gateway that is shut down sends its clients on; they miss nothing."""
    people = [Session(stack.url, name) for name in ("alice", "bob")]
    room = Room(stack, people[0])
    clients = [sdk("alice"), sdk("bob")]
    for client, person in zip(clients, people, strict=True):
        await client.enter(websocket_url(stack.url), person)
        await client.join(room.channel)
    await room.say(clients[0], 2)
    await asyncio.to_thread(stack.server("gateway-1").stop)
    moved = [c for c in clients if any(e.get("code") == 3001 for e in c.events)]
    assert moved, "nginx had put nobody on this gateway"
    for client in clients:
        await client.wait_for(
            lambda c: (
                c.of("subscribed", room.channel)[-1]["at"]
                >= c.of("subscribing", room.channel)[-1]["at"]
            ),
            within=60,
        )
    await room.say(clients[1], 2)
    for client in clients:
        await client.next_of("publication", room.channel, number=4)
    records = {c.name: record_of(c.events, room.channel, message_of) for c in clients}
    assert [str(finding) for finding in check(room.log(), room.acked, records)] == []
