"""Pages of real browsers."""

from __future__ import annotations

from playwright.async_api import Browser, Page

__all__ = ["signed_in_page"]


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
