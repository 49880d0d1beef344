"""Who is in a room, who is typing and who is out, as real browsers show it, through nginx."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.client import Session
from tests.integration.pages import open_room, say, signed_in_page
from tests.integration.traffic import fresh_room
from tests.servers import RunningStack

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

# Somebody who is away so long is not just loading the page again.
LEAVE_MS = 30_000


async def expect_people(page: Page, *names: str, within: float = 10_000) -> None:
    """Wait until the page shows these people, and nobody else."""
    await expect(page.get_by_test_id("people-count")).to_have_text(str(len(names)), timeout=within)
    people = page.get_by_test_id("person")
    assert [await each.get_attribute("data-username") for each in await people.all()] == [*names]


async def test_who_is_here_and_who_types(stack: RunningStack, browser: Browser) -> None:
    """People are shown once, whatever their tabs; who types is shown until they have said it."""
    room = fresh_room(Session(stack.url, "alice"))
    alice = await signed_in_page(browser, stack.url, "alice")
    bob = await signed_in_page(browser, stack.url, "bob")
    carol = await signed_in_page(browser, stack.url, "carol")
    await open_room(alice, room)
    await expect_people(alice, "alice")
    await open_room(carol, room)
    await expect_people(alice, "alice", "carol")
    await open_room(bob, room)
    await expect_people(alice, "alice", "bob", "carol")
    # She could be back in a moment: that she left is told at the end.
    await carol.context.close()
    tab = await bob.context.new_page()
    await open_room(tab, room)
    await expect(tab.get_by_test_id("people-count")).to_have_text("3")
    await bob.get_by_test_id("room-input").press_sequentially("Hel")
    await expect(alice.get_by_test_id("typing")).to_have_text("bob is typing…")
    # What one types oneself one knows, on whichever tab.
    await expect(tab.get_by_test_id("typing")).to_be_empty()
    await say(bob, "Hello, alice!")
    await expect(alice.get_by_text("Hello, alice!")).to_be_visible()
    await expect(alice.get_by_test_id("typing")).to_be_empty(timeout=1_000)
    await tab.close()
    await bob.reload()
    await alice.get_by_test_id("people").locator("summary").press("Enter")
    await expect(alice.get_by_test_id("person").last).to_be_visible()
    await expect_people(alice, "alice", "bob", within=LEAVE_MS)
    await expect_people(bob, "bob", "alice")


async def test_removed_from_a_room(stack: RunningStack, browser: Browser) -> None:
    """Who is taken out of a room is told so there, hears nothing more, and stays signed in."""
    session = Session(stack.url, "alice")
    room = fresh_room(session, members_only=True)
    members = f"/rooms/{room}/members/"
    session.post(members, {"action": "add", "username": "bob"})
    bob = await signed_in_page(browser, stack.url, "bob")
    await open_room(bob, room)
    session.post(members, {"action": "remove", "username": "bob"})
    notice = bob.get_by_text("You can no longer read this room.")
    await expect(notice).to_be_visible()
    await expect(bob.get_by_test_id("room-send")).to_be_disabled()
    await expect(bob.get_by_role("link", name="Go to rooms")).to_be_visible()
    # The page's connection is there for the rest.
    await expect(bob.locator("#site-notice")).to_be_hidden()


async def test_signed_out_in_another_tab(stack: RunningStack, browser: Browser) -> None:
    """Every page says at once that the session is over, and where to sign in again."""
    room = await signed_in_page(browser, stack.url, "carol")
    elsewhere, leaving = [await room.context.new_page() for _ in range(2)]
    name = fresh_room(Session(stack.url, "carol"))
    await open_room(room, name)
    await room.get_by_test_id("room-input").fill("half a thought")
    await elsewhere.goto("/feed/")
    await leaving.goto("/inbox/")
    await leaving.locator(".site-user details summary").click()
    await leaving.get_by_role("button", name="Sign out").click()
    for page, notice in ((room, "#connection-notice"), (elsewhere, "#site-notice")):
        await expect(page.locator(notice)).to_contain_text("You are signed out.")
        await expect(page.locator(notice).get_by_role("link", name="Sign in")).to_be_visible()
    await expect(room.locator("#site-notice")).to_be_hidden()
    # To be copied; it is not kept on a computer that others may use.
    await expect(room.get_by_test_id("room-input")).to_have_value("half a thought")
