"""What unmodified SDKs make of who speaks, of too many connections, and of a state that is old."""

from __future__ import annotations

import centrifuge
import pytest

from tests.client import Session
from tests.sdk.client import websocket_url
from tests.sdk.conftest import MakeClient
from tests.sdk.room import Room, user_id_of
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


async def test_who_is_typing(stack: RunningStack, sdk: MakeClient) -> None:
    """A publication that is kept nowhere says whose client it is of, at the other gateway too."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    channel = f"typing:{Room(stack, alice).channel.partition(':')[2]}"
    hers, his = sdk("alice"), sdk("bob")
    for number, (client, person) in enumerate(((hers, alice), (his, bob)), start=1):
        await client.enter(websocket_url(stack.gateway_url(number)), person)
        await client.join(channel)
    await his.publish(channel, {})
    for client in (hers, his):
        info = (await client.next_of("publication", channel))["info"]
        assert (info["user"], info["client"]) == (user_id_of(bob), his.client_id)


async def test_too_many_connections(stack: RunningStack, sdk: MakeClient) -> None:
    """The eleventh of a user at a gateway ends for good; the ten go on."""
    alice, url = Session(stack.url, "alice"), websocket_url(stack.gateway_url(1))
    clients = [sdk(f"tab {number}") for number in range(11)]
    for client in clients[:10]:
        await client.enter(url, alice)
    last = clients[10]
    await last.create(url, headers={"Cookie": alice.cookie, "Origin": alice.url})
    await last.connect()
    ended = await last.next_of("disconnected")
    assert (ended["code"], ended["reason"]) == (3504, "connection limit")
    room = Room(stack, alice)
    await clients[0].join(room.channel)
    await room.say(clients[0])


async def test_state_of_another_life(stack: RunningStack) -> None:
    """An SDK that reads its state by itself is told by 112, and reads it again."""
    alice = Session(stack.url, "alice")
    room = Room(stack, alice)
    room.post(alice, 3)
    epoch, asked = room.log().epoch, 0

    async def state(channel: str) -> centrifuge.StreamPosition:
        nonlocal asked
        asked += 1
        return centrifuge.StreamPosition(1, "another" if asked == 1 else epoch)

    client = centrifuge.Client(
        websocket_url(stack.gateway_url(1)),
        headers={"Cookie": alice.cookie, "Origin": alice.url},
        proxy=None,
    )
    heard: list[int] = []

    class Handler(centrifuge.SubscriptionEventHandler):
        async def on_publication(self, ctx: centrifuge.PublicationContext) -> None:
            heard.append(ctx.pub.offset)

    subscription = client.new_subscription(room.channel, events=Handler(), get_state=state)
    try:
        await client.connect()
        await subscription.subscribe()
        await subscription.ready(30)
    finally:
        await client.disconnect()
    assert (asked, heard) == (2, [2, 3])
