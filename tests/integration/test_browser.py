"""Two people, two real browsers, through nginx."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.client import Session
from tests.integration.faults import metric
from tests.integration.pages import open_room, say, signed_in_page
from tests.integration.traffic import fresh_room, open_chat, send
from tests.servers import RunningStack

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


async def sign_in(browser: Browser, url: str, username: str, room: str) -> Page:
    """Return a page of its own browser context, signed in and live in the room."""
    page = await signed_in_page(browser, url, username)
    await open_room(page, room)
    return page


async def shown(page: Page) -> list[str]:
    """Return the texts on the page, from top to bottom."""
    return await page.get_by_test_id("message-text").all_inner_texts()


def own_messages(page: Page, state: str) -> Locator:
    """Return the reader's own messages that stand so."""
    return page.locator(f"[data-testid=message][data-state={state}]")


def gateway_of_the_room_page(stack: RunningStack) -> int:
    """Return which gateway holds the one chat subscription that there is."""
    (number,) = [
        number
        for number in (1, 2)
        if metric(stack, f"gateway-{number}", "carillon_gateway_subscriptions", kind="chat") > 0
    ]
    return number


async def test_two_people_chat_and_the_history_is_there_after_a_reload(
    stack: RunningStack, browser: Browser
) -> None:
    """What one says the other sees at once, in order; a reload shows the same."""
    room = fresh_room(Session(stack.url, "alice"))
    alice = await sign_in(browser, stack.url, "alice", room)
    bob = await sign_in(browser, stack.url, "bob", room)
    said = []
    for number in range(5):
        for page, name in ((alice, "alice"), (bob, "bob")):
            said.append(f"{name} {number} <b>&amp; ü 🎉")
            await say(page, said[-1])
            for reader in (alice, bob):
                await expect(reader.get_by_test_id("message")).to_have_count(len(said))
    assert await shown(alice) == await shown(bob) == said
    await bob.reload()
    await expect(bob.get_by_test_id("message")).to_have_count(len(said))
    assert await shown(bob) == said


async def test_a_message_that_alice_deletes_goes_from_bobs_page(
    stack: RunningStack, browser: Browser
) -> None:
    """The text goes at once, and is not there after a reload either."""
    room = fresh_room(Session(stack.url, "alice"))
    alice = await sign_in(browser, stack.url, "alice", room)
    bob = await sign_in(browser, stack.url, "bob", room)
    await say(alice, "a slip of the tongue")
    await expect(bob.get_by_text("a slip of the tongue")).to_be_visible()
    await alice.get_by_test_id("message").first.hover()
    await alice.get_by_test_id("message-delete").click()
    await alice.get_by_test_id("confirm-delete").click()
    await expect(bob.get_by_text("a slip of the tongue")).to_have_count(0)
    await bob.reload()
    await expect(bob.get_by_test_id("message")).to_have_count(1)
    await expect(bob.get_by_text("a slip of the tongue")).to_have_count(0)


async def test_an_announcement_reaches_every_page(stack: RunningStack, browser: Browser) -> None:
    """Staff announce on their page; who is in a room or elsewhere sees it without a reload."""
    admin = Session(stack.url, "admin")
    room = fresh_room(admin)
    bob = await sign_in(browser, stack.url, "bob", room)
    carol = await sign_in(browser, stack.url, "carol", room)
    await carol.goto("/rooms/")
    await carol.wait_for_load_state("networkidle")
    admin.post("/staff/announce/", {"message": "Maintenance at noon"})
    for page in (bob, carol):
        await expect(page.get_by_test_id("announcement").first).to_contain_text(
            "Maintenance at noon", timeout=15_000
        )


async def test_a_mention_leads_to_its_message_however_old(
    stack: RunningStack, browser: Browser
) -> None:
    """The notification opens the room there, with the message in view and marked."""
    session = Session(stack.url, "alice")
    room = fresh_room(session)
    bob = await sign_in(browser, stack.url, "bob", room)
    unread = await bob.get_by_test_id("bell-count").text_content()
    async with open_chat(session, stack.gateway_url(1), room) as alice:
        await alice.send(message="Look here, @bob!")
        await alice.wait_for(lambda c: len(c.texts) == 1)
        # Bob reads it where it was said: the bell counts it, and no word in the corner covers it.
        await expect(bob.get_by_test_id("bell-count")).not_to_have_text(unread or "")
        await expect(bob.get_by_test_id("toast")).to_have_count(0)
        await send(alice, 120)
        await alice.wait_for(lambda c: len(c.texts) == 121, within=60)
    await bob.goto("/inbox/")
    await bob.get_by_role("button", name=f"alice mentioned you in {room}").first.click()
    await bob.wait_for_url(f"**/rooms/{room}/#message-*")
    marked = bob.locator("[data-testid=message][data-linked]")
    await expect(marked.get_by_test_id("message-text")).to_have_text("Look here, @bob!")
    await expect(marked).to_be_in_viewport()
    await expect(marked).to_be_focused()
    # A new message is no reason to leave it.
    async with open_chat(session, stack.gateway_url(1), room) as alice:
        await alice.send(message="One more thing")
    await expect(bob.get_by_test_id("new-messages")).to_have_text("1 new message")
    await expect(marked).to_be_in_viewport()


async def test_a_page_whose_gateway_is_killed_comes_back_and_shows_everything_once(
    stack: RunningStack, browser: Browser
) -> None:
    """Bob's gateway dies with SIGKILL while alice sends 100 messages: his page shows all 100."""
    session = Session(stack.url, "alice")
    room = fresh_room(session)
    bob = await sign_in(browser, stack.url, "bob", room)
    his = gateway_of_the_room_page(stack)
    other = 3 - his
    try:
        async with open_chat(session, stack.gateway_url(other), room) as alice:
            sending = asyncio.create_task(send(alice, 100))
            await alice.wait_for(lambda c: len(c.texts) >= 30)
            stack.kill_gateway(his)
            await sending
            await alice.wait_for(lambda c: len(c.texts) == 100)
        await expect(bob.get_by_test_id("message")).to_have_count(100, timeout=40_000)
        assert await shown(bob) == [f"message {number}" for number in range(100)]
        await expect(bob.get_by_test_id("connection-state")).to_have_attribute(
            "data-state", "online"
        )
        await expect(bob.get_by_test_id("people-count")).to_have_text("1")
    finally:
        stack.start_gateway(his)


async def test_a_draft_survives_a_reload_and_unsent_messages_are_sent_once_back(
    stack: RunningStack, browser: Browser
) -> None:
    """What was typed is still there; what was sent while offline arrives once, when online."""
    session = Session(stack.url, "alice")
    room = fresh_room(session)
    alice = await sign_in(browser, stack.url, "alice", room)
    await alice.get_by_test_id("room-input").fill("half a thought")
    await alice.reload()
    await expect(alice.get_by_test_id("room-input")).to_have_value("half a thought")
    await alice.get_by_test_id("room-input").fill("")
    hers = gateway_of_the_room_page(stack)
    try:
        async with open_chat(session, stack.gateway_url(3 - hers), room) as reader:
            stack.kill_gateway(hers)
            await say(alice, "through the gap")
            await reader.wait_for(lambda c: c.texts == ["through the gap"], within=40)
    finally:
        stack.start_gateway(hers)
    await expect(own_messages(alice, "sent")).to_have_count(1)


async def test_a_message_whose_answer_is_lost_with_its_gateway_arrives_once(
    stack: RunningStack, browser: Browser
) -> None:
    """Sent to a gateway that hangs and then dies, it goes out again over the other one."""
    session = Session(stack.url, "alice")
    room = fresh_room(session)
    alice = await sign_in(browser, stack.url, "alice", room)
    hers = gateway_of_the_room_page(stack)
    pid = stack.gateways[hers]
    assert pid is not None
    try:
        async with open_chat(session, stack.gateway_url(3 - hers), room) as reader:
            os.kill(pid, signal.SIGSTOP)
            await say(alice, "into the void")
            await expect(own_messages(alice, "sending")).to_have_count(1)
            stack.kill_gateway(hers)
            await reader.wait_for(lambda c: c.texts == ["into the void"], within=40)
            await expect(own_messages(alice, "sent")).to_have_count(1)
    finally:
        stack.start_gateway(hers)


async def test_a_message_that_is_refused_says_why_and_is_tried_again_or_discarded(
    stack: RunningStack, browser: Browser
) -> None:
    """What the server's rules forbid stays on the page with its reason, and hinders nothing."""
    room = fresh_room(Session(stack.url, "alice"))
    alice = await sign_in(browser, stack.url, "alice", room)
    await say(alice, "\u0301")
    failed = own_messages(alice, "failed")
    await expect(failed).to_have_count(1)
    await expect(failed.locator(".message-problem")).to_have_text("Write something first.")
    await failed.get_by_test_id("message-retry").click()
    await expect(failed).to_have_count(1)
    await say(alice, "something")
    await expect(own_messages(alice, "sent")).to_have_count(1)
    await failed.get_by_test_id("message-discard").click()
    await expect(alice.get_by_test_id("message")).to_have_count(1)
