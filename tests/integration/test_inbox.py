"""The inbox of one person on several devices and in several tabs, in real browsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.client import Session
from tests.integration.test_posts import Person
from tests.servers import RunningStack

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

# Headless browsers show no notifications; this one writes down what it was asked to show.
NOTIFICATIONS = """
    window.shown = [];
    window.Notification = class extends EventTarget {
        static permission = "granted";
        constructor(title, options) {
            super();
            window.shown.push([title, options.tag]);
        }
        close() {}
    };
"""


@pytest.fixture
async def alice(stack: RunningStack, browser: Browser) -> AsyncIterator[Person]:
    """Alice, at her desk."""
    person = Person(browser, stack.url, "alice")
    await person.arrive()
    yield person
    await person.page.context.close()


async def on_the_phone(browser: Browser, stack: RunningStack, person: Person) -> Page:
    """Return a page of the same person on another device."""
    state = await person.page.context.storage_state()
    cookies = {**state, "origins": []}
    context = await browser.new_context(
        base_url=stack.url,
        storage_state=cookies,  # type: ignore[arg-type]
        viewport={"width": 360, "height": 740},
    )
    page = await context.new_page()
    page.set_default_timeout(15_000)
    return page


async def comment(stack: RunningStack, path: str, *texts: str) -> None:
    """Let bob comment, by plain HTTP."""
    bob = await asyncio.to_thread(Session, stack.url, "bob")
    for text in texts:
        answer = await asyncio.to_thread(bob.post, path, {"body": text})
        assert answer.url.path == path, answer.text


async def test_what_is_done_on_one_device_is_done_on_the_other(
    stack: RunningStack, browser: Browser, alice: Person
) -> None:
    """New ones come on top, states follow, and the keyboard stays where it was."""
    path = await alice.post("The bells are tuned")
    phone = await on_the_phone(browser, stack, alice)
    desk = alice.page
    for page in (desk, phone):
        await page.goto("/inbox/")
        await expect(page.get_by_test_id("bell-count")).to_be_hidden()
    await comment(stack, path, "first", "second", "third")
    for page in (desk, phone):
        await expect(page.get_by_test_id("notification")).to_have_count(3)
        await expect(page.get_by_test_id("bell-count")).to_have_text("3")
        await expect(page).to_have_title("(3) Inbox · Carillon")
        await expect(page.get_by_test_id("toast")).to_have_count(0)

    await desk.locator("li [name=read]:visible").first.press("Enter")
    await expect(phone.get_by_test_id("bell-count")).to_have_text("2")
    await expect(phone.locator(".notification-unread")).to_have_count(2)
    await expect(desk.locator("[name=unread]:focus")).to_have_count(1)

    await phone.locator("li [name=archive]:visible").first.click()
    await expect(desk.get_by_test_id("notification")).to_have_count(2)
    await expect(desk.locator(".notification-open:focus")).to_have_count(1)

    await phone.get_by_test_id("mark-all-read").click()
    for page in (desk, phone):
        await expect(page.get_by_test_id("bell-count")).to_be_hidden()
        await expect(page).to_have_title("Inbox · Carillon")
        await expect(page.locator(".notification-unread")).to_have_count(0)
        await page.reload()
        await expect(page.get_by_test_id("notification")).to_have_count(2)
    await phone.context.close()


async def test_one_of_several_tabs_shows_a_browser_notification(
    stack: RunningStack, alice: Person
) -> None:
    """Each comes once; when the tab that showed it is closed, another one goes on."""
    path = await alice.post("The bells are tuned")
    context = alice.page.context
    await context.add_init_script(NOTIFICATIONS)
    tabs = [await context.new_page() for _ in range(3)]
    await alice.page.close()
    for tab in tabs:
        await tab.goto("/rooms/", wait_until="networkidle")
    expected = 0
    while tabs:
        await comment(stack, path, f"comment {expected}")
        expected += 1
        shown: dict[Page, list[list[str]]] = {}
        async with asyncio.timeout(15):
            while not any(shown.values()):
                shown = {tab: await tab.evaluate("window.shown") for tab in tabs}
        for tab in tabs:
            await expect(tab.get_by_test_id("bell-count")).to_have_text(str(expected))
        (leader,) = [tab for tab, found in shown.items() if found]
        assert len(shown[leader]) == 1
        await leader.close()
        tabs.remove(leader)


async def test_the_first_notification_of_all_is_not_missed_while_a_page_loads(
    stack: RunningStack, alice: Person
) -> None:
    """Before it there is no place to go on from: the page reads its inbox again."""
    path = await alice.post("The bells are tuned")
    page = alice.page

    async def hold(route: Route) -> None:
        # The page is made, and its script, which connects, not yet there.
        await comment(stack, path, "first")
        await route.continue_()

    await page.route("**/site*.js", hold)
    await page.goto("/inbox/")
    await expect(page.get_by_test_id("bell-count")).to_have_text("1")
    await expect(page.get_by_test_id("notification")).to_have_count(1)


async def test_a_dismissed_announcement_is_gone_from_every_device(
    stack: RunningStack, browser: Browser, alice: Person
) -> None:
    """At once where the person is, and for good where they come to later."""
    phone = await on_the_phone(browser, stack, alice)
    words = f"Maintenance at noon, {alice.name}"
    for page in (alice.page, phone):
        await page.goto("/rooms/", wait_until="networkidle")
    admin = await asyncio.to_thread(Session, stack.url, "admin")
    await asyncio.to_thread(admin.post, "/staff/announce/", {"message": words, "hours": "1"})
    for page in (alice.page, phone):
        await expect(page.get_by_text(words)).to_be_visible()
    shown = alice.page.get_by_test_id("announcement").filter(has_text=words)
    await shown.get_by_test_id("announcement-dismiss").click()
    await expect(phone.get_by_text(words)).to_have_count(0)
    await phone.reload(wait_until="networkidle")
    await expect(phone.get_by_text(words)).to_have_count(0)
    await phone.context.close()
