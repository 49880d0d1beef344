"""The unmodified JavaScript SDK in Chromium, in a page of ours: session, origin and policy hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from tests.client import Session
from tests.integration.faults import metric
from tests.integration.pages import open_browser, signed_in_page
from tests.sdk.browser_client import library_in
from tests.sdk.checker import check, record_of
from tests.sdk.client import CommandFailed, SdkClient, websocket_url
from tests.sdk.room import Room, message_of, user_id_of
from tests.servers import RunningStack

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


def gateway_of(stack: RunningStack) -> int:
    """Return which gateway holds the one chat subscription that there is."""
    (number,) = [
        number
        for number in stack.gateways
        if metric(stack, f"gateway-{number}", "carillon_gateway_subscriptions", kind="chat") > 0
    ]
    return number


async def enter(client: SdkClient, url: str) -> None:
    """Connect with what the browser itself sends."""
    await client.create(websocket_url(url))
    await client.connect()
    await client.next_of("connected")


async def refused(client: SdkClient, channel: str) -> int:
    """Publish what is not taken; return the error's code."""
    with pytest.raises(CommandFailed) as failed:
        await client.publish(channel, {"message": ""})
    return failed.value.code


async def speak(host: SdkClient, guest: SdkClient, room: Room) -> None:
    """Publish, call and read back: both hear all of it, and the log has it once."""
    await room.say(host, 2)
    words = {"room": room.name, **room.words()}
    answers = [await guest.rpc("chat.send", words) for _ in range(2)]
    assert [answer["repeated"] for answer in answers] == [False, True]
    room.acked.append(words["client_id"])
    for client in (host, guest):
        await client.next_of("publication", room.channel, number=3)
        assert [message_of(event["data"]) for event in client.heard(room.channel)] == room.acked
    page = await host.history(room.channel, limit=-1)
    assert [message_of(each["data"]) for each in page.publications] == room.acked
    assert page.position.offset == 3
    assert await refused(host, room.channel) == 400


async def meet(host: SdkClient, guest: SdkClient, room: Room, guest_id: str) -> None:
    """See who is there, and who comes and goes."""
    async with asyncio.timeout(15):
        # Gateways write who is at them once in a second.
        while await host.presence_stats(room.channel) != (2, 2):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    present = await host.presence(room.channel)
    assert present[guest.client_id]["user"] == guest_id
    await guest.unsubscribe(room.channel)
    left = await host.next_of("leave", room.channel)
    assert left["info"]["user"] == guest_id
    await guest.join(room.channel, join_leave=True)
    told = [event["info"]["client"] for event in host.of("join", room.channel)]
    assert guest.client_id in told


async def lose_gateway(stack: RunningStack, client: SdkClient, number: int, room: Room) -> None:
    """Be cut off while something is said; come back by itself and hear exactly that."""
    before = len(client.of("subscribed", room.channel))
    await asyncio.to_thread(stack.kill_gateway, number)
    try:
        await asyncio.to_thread(room.post, Session(stack.url, "alice"), 3)
        back = await client.next_of("subscribed", room.channel, number=before + 1, within=40)
        assert (back["was_recovering"], back["recovered"]) == (True, True)
        newest = room.acked[-1]
        await client.wait_for(lambda c: newest in map(_name_of, c.heard(room.channel)))
    finally:
        await asyncio.to_thread(stack.start_gateway, number)


def _name_of(event: dict[str, object]) -> str:
    return message_of(event["data"])


async def sign_out(page: Page) -> None:
    """Sign out in another tab of the page's browser."""
    tab = await page.context.new_page()
    await tab.goto("/rooms/")
    await tab.locator(".site-user details summary").click()
    await tab.get_by_role("button", name="Sign out").click()
    await tab.wait_for_url("**/accounts/login/**")


async def test_published_library_in_a_browser(stack: RunningStack, browser: Browser) -> None:
    """Every command, what others do, a killed gateway, and how a server ends it all."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = Room(stack, alice, members_only=True)
    members = f"/rooms/{room.name}/members/"
    alice.post(members, {"action": "add", "username": "bob"})
    pages = [await signed_in_page(browser, stack.url, name) for name in ("alice", "bob")]
    async with library_in(pages[0]) as hers, library_in(pages[1]) as his:
        host, guest = hers.client("alice"), his.client("bob")
        await enter(host, stack.url)
        for channel in (f"user:{user_id_of(alice)}", "announcements:all"):
            assert (await host.next_of("subscribed", channel))["server_side"]
        await host.join(room.channel, join_leave=True)
        gateway = gateway_of(stack)
        await enter(guest, stack.url)
        await guest.join(room.channel)
        await speak(host, guest, room)
        await meet(host, guest, room, user_id_of(bob))
        await lose_gateway(stack, host, gateway, room)
        records = {host.name: record_of(host.events, room.channel, message_of)}
        assert [str(found) for found in check(room.log(), room.acked, records)] == []
        await asyncio.to_thread(alice.post, members, {"action": "remove", "username": "bob"})
        ended = await guest.next_of("unsubscribed", room.channel, number=2)
        assert (ended["code"], guest.of("disconnected")) == (2000, [])
        await sign_out(pages[0])
        assert (await host.next_of("disconnected"))["code"] == 4501
