"""Pages of real browsers."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, async_playwright, expect

__all__ = ["open_browser", "open_room", "say", "signed_in_page"]


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start Chromium, for as long as a test lasts."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "Chromium is missing: `make test` installs it, or run apt-get install chromium."
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        await browser.close()


async def signed_in_page(browser: Browser, url: str, username: str, watch: str = "") -> Page:
    """
    Return a page of its own browser context, with the demo user signed in.

    Args:
        browser: the browser.
        url: where Carillon answers.
        username: one of the demo users.
        watch: a script that every page of the context runs first.
    """
    context = await browser.new_context(base_url=url)
    if watch:
        await context.add_init_script(watch)
    page = await context.new_page()
    page.set_default_timeout(15_000)
    await page.goto("/accounts/login/")
    await page.fill("input[name=username]", username)
    await page.fill("input[name=password]", "carillon")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/rooms/")
    return page


async def open_room(page: Page, room: str) -> None:
    """Go to a room and wait until the page is live."""
    await page.goto(f"/rooms/{room}/")
    await expect(page.get_by_test_id("connection-state")).to_have_attribute(
        "data-state", "online", timeout=15_000
    )


async def say(page: Page, text: str) -> None:
    """Send a message from a room's page."""
    await page.get_by_test_id("room-input").fill(text)
    await page.get_by_test_id("room-input").press("Enter")
