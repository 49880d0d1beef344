"""Clients of unmodified SDKs that are cut off: exactly what they missed, or that they cannot."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.cable import Cable
from tests.client import Session
from tests.sdk.checker import check, record_of
from tests.sdk.client import SdkClient, websocket_url
from tests.sdk.conftest import MakeClient
from tests.sdk.room import Room, message_of
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


def cable_to(url: str) -> Cable:
    place = urlsplit(url)
    assert place.hostname is not None
    assert place.port is not None
    return Cable(place.hostname, place.port)


async def caught_up(room: Room, *clients: SdkClient) -> None:
    """Wait until clients have heard the newest message."""
    newest = room.acked[-1]
    for client in clients:
        await client.wait_for(
            lambda c: any(message_of(e["data"]) == newest for e in c.heard(room.channel)),
            within=60,
            what=newest,
        )


def assert_faithful(room: Room, *clients: SdkClient, may_refuse: bool = False) -> None:
    """Compare what clients heard with the log."""
    records = {c.name: record_of(c.events, room.channel, message_of) for c in clients}
    assert [str(f) for f in check(room.log(), room.acked, records, may_refuse=may_refuse)] == []


async def test_cut_again_and_again(stack: RunningStack, sdk: MakeClient) -> None:
    """Each time the SDK comes back by itself and hears what was said meanwhile, once, in order."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = Room(stack, alice)
    reader, speaker = sdk("alice"), sdk("bob")
    with cable_to(stack.gateway_url(1)) as cable:
        await reader.enter(websocket_url(f"http://127.0.0.1:{cable.port}"), alice)
        await reader.join(room.channel)
        await speaker.enter(websocket_url(stack.gateway_url(2)), bob)
        for cuts in range(1, 5):
            await room.say(speaker, 2)
            await caught_up(room, reader)
            cable.cut()
            await reader.next_of("subscribing", room.channel, number=cuts + 1)
            await room.say(speaker, cuts)
            cable.mend()
            back = await reader.next_of("subscribed", room.channel, number=cuts + 1, within=60)
            assert (back["was_recovering"], back["recovered"]) == (True, True)
            await caught_up(room, reader)
        assert_faithful(room, reader)


async def test_cut_with_nothing_missed(stack: RunningStack, sdk: MakeClient) -> None:
    """To have missed nothing is to be recovered, too, and nothing comes again."""
    alice = Session(stack.url, "alice")
    room = Room(stack, alice)
    client = sdk("alice")
    with cable_to(stack.gateway_url(1)) as cable:
        await client.enter(websocket_url(f"http://127.0.0.1:{cable.port}"), alice)
        await client.join(room.channel)
        await room.say(client, 3)
        await caught_up(room, client)
        cable.cut()
        await client.next_of("subscribing", room.channel, number=2)
        cable.mend()
        back = await client.next_of("subscribed", room.channel, number=2, within=60)
        assert (back["was_recovering"], back["recovered"]) == (True, True)
        await room.say(client)
        await caught_up(room, client)
        assert_faithful(room, client)


async def test_killed_gateway(stack: RunningStack, sdk: MakeClient) -> None:
    """Whose gateway dies goes on at the other one, where it stood, whichever of both it is."""
    people = [Session(stack.url, name) for name in ("alice", "bob", "carol", "admin")]
    room = Room(stack, people[0])
    clients = [sdk(f"reader {number}") for number in range(1, 5)]
    for client, person in zip(clients, people, strict=True):
        await client.enter(websocket_url(stack.url), person)
        await client.join(room.channel)
    for number in (1, 2):
        await room.say(clients[0], 3)
        await caught_up(room, *clients)
        await asyncio.to_thread(stack.kill_gateway, number)
        room.post(people[0], 3)
        await caught_up(room, *clients)
        await asyncio.to_thread(stack.start_gateway, number)
    # It is for nothing if nobody was at a gateway that died.
    assert all(len(client.of("subscribed", room.channel)) > 1 for client in clients)
    assert_faithful(room, *clients)


async def test_trimmed_log(stack: RunningStack, sdk: MakeClient) -> None:
    """Who missed more than the log still has is told so, is put to the head, and goes on there."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = Room(stack, alice)
    reader, speaker = sdk("alice"), sdk("bob")
    with cable_to(stack.gateway_url(1)) as cable:
        await reader.enter(websocket_url(f"http://127.0.0.1:{cable.port}"), alice)
        await reader.join(room.channel)
        await speaker.enter(websocket_url(stack.gateway_url(2)), bob)
        await room.say(speaker, 2)
        await caught_up(room, reader)
        cable.cut()
        await reader.next_of("subscribing", room.channel, number=2)
        await room.say(speaker, 6)
        room.trim(3)
        cable.mend()
        back = await reader.next_of("subscribed", room.channel, number=2, within=60)
        assert (back["was_recovering"], back["recovered"]) == (True, False)
        assert back["position"] == {"offset": 8, "epoch": room.log().epoch}
        await room.say(speaker)
        await caught_up(room, reader)
    assert [event["offset"] for event in reader.heard(room.channel)] == [1, 2, 9]
