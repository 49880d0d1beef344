"""Clients of npm's `centrifuge` in a page of a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Page, Route

from tests.sdk.js_client import FOLDER, Driver

__all__ = ["BrowserDriver", "library_in"]

# Below it the page's policy lets scripts come from, and its server has nothing.
_PLACE = "/static/sdk-of-a-test"
_FILES = {
    "browser.js": FOLDER / "browser.js",
    "clients.js": FOLDER / "clients.js",
    # As it was published.
    "centrifuge.mjs": FOLDER / "node_modules/centrifuge/build/index.mjs",
}


class BrowserDriver(Driver):
    """A page in which the library is loaded."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._lines: asyncio.Queue[str] = asyncio.Queue()

    async def load(self) -> None:
        """Load the library as the page loads its own scripts: its policy holds for it."""
        # In the order in which they come; the callback itself must not wait.
        await self._page.expose_function("told", self._lines.put_nowait)
        await self._page.route(f"**{_PLACE}/*", _serve)
        await self._page.add_script_tag(url=f"{_PLACE}/browser.js", type="module")

    async def read(self) -> None:
        """Take what the page tells, for ever."""
        while True:
            await self._take(await self._lines.get())

    async def _send(self, command: Mapping[str, Any]) -> None:
        await self._page.evaluate("command => { obey(command); }", command)


@asynccontextmanager
async def library_in(page: Page) -> AsyncIterator[BrowserDriver]:
    """Load the library into a page and listen to it."""
    driver = BrowserDriver(page)
    reading = asyncio.create_task(driver.read())
    try:
        await driver.load()
        yield driver
    finally:
        reading.cancel()


async def _serve(route: Route) -> None:
    file = _FILES[route.request.url.rpartition("/")[2]]
    await route.fulfill(path=file, content_type="text/javascript")
