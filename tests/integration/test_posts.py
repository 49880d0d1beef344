"""Posts and comments between people in real browsers, through nginx."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, StorageState, expect

from tests.client import Session
from tests.integration.faults import metric
from tests.servers import RunningStack

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

# What each time on a page says, and what it says in New York.
TIMES = """() => {
  const options = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    ...options, timeZone: "America/New_York"
  });
  return [...document.querySelectorAll("main time")].map((time) => [
    time.textContent, format.format(new Date(time.dateTime))
  ]);
}"""
PASSWORD = "nine bells at noon"


class Person:
    """Somebody of this test alone, with a browser of their own."""

    def __init__(self, browser: Browser, url: str, role: str, timezone: str = "UTC") -> None:
        self.name = f"{role}-{secrets.token_hex(3)}"
        self._browser = browser
        self._url = url
        self._timezone = timezone
        self._state: StorageState | None = None
        self.page: Page

    async def arrive(self) -> None:
        """Open the browser; the first time they sign up, later they are still signed in."""
        context = await self._browser.new_context(
            base_url=self._url, storage_state=self._state, timezone_id=self._timezone
        )
        self.page = await context.new_page()
        self.page.set_default_timeout(15_000)
        if self._state is not None:
            await self.page.goto("/rooms/")
            return
        await self.page.goto("/accounts/signup/")
        await self.page.fill("input[name=username]", self.name)
        await self.page.fill("input[name=password1]", PASSWORD)
        await self.page.fill("input[name=password2]", PASSWORD)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url("**/rooms/")

    async def leave(self) -> None:
        """Close the browser."""
        self._state = await self.page.context.storage_state()
        await self.page.context.close()

    async def follow(self, other: Person) -> None:
        await self.page.goto(f"/people/{other.name}/")
        await self.page.get_by_test_id("follow").click()
        await expect(self.page.get_by_test_id("unfollow")).to_be_visible()

    async def post(self, title: str) -> str:
        """Post something, by the keyboard alone; return the path of its page, where one is then."""
        await self.page.goto("/feed/")
        await self.page.get_by_test_id("new-post").press("Enter")
        await self.page.locator("input[name=title]").fill(title)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url("**/posts/*/")
        await self.is_live()
        return self.page.url.removeprefix(self._url)

    async def read(self, path: str) -> None:
        """Open a post's page and wait until it is live."""
        await self.page.goto(path)
        await self.is_live()

    async def comment(self, text: str) -> None:
        await self.page.locator("textarea[name=body]").fill(text)
        await self.page.get_by_test_id("comment-send").click()
        await expect(self.page.get_by_test_id("comment-text").last).to_have_text(text)

    async def is_live(self) -> None:
        state = self.page.get_by_test_id("connection-state")
        await expect(state).to_have_attribute("data-state", "online", timeout=15_000)

    async def comments(self) -> list[str]:
        """Return the comments on the page, from top to bottom."""
        return await self.page.get_by_test_id("comment-text").all_inner_texts()

    async def inbox(self) -> list[str]:
        """Return the titles in the inbox, the newest first."""
        await self.page.goto("/inbox/")
        titles = self.page.locator("[data-testid=notification] .notification-title")
        return await titles.all_inner_texts()


@pytest.fixture
async def people(
    stack: RunningStack, browser: Browser
) -> AsyncIterator[tuple[Person, Person, Person]]:
    """Alice, whom bob and carol follow."""
    alice, bob, carol = (Person(browser, stack.url, role) for role in ("alice", "bob", "carol"))
    for person in (alice, bob, carol):
        await person.arrive()
    await bob.follow(alice)
    await carol.follow(alice)
    yield alice, bob, carol
    for person in (alice, bob, carol):
        await person.page.context.close()


def say(session: Session, path: str, first: int, last: int) -> None:
    """Comment by plain HTTP, one after the other."""
    for number in range(first, last):
        answer = session.post(path, {"body": f"comment {number}"})
        assert answer.url.path == path, answer.text


def gateway_of_the_post(stack: RunningStack) -> int:
    """Return which gateway holds the one subscription to a post that there is."""
    (number,) = [
        number
        for number in (1, 2)
        if metric(stack, f"gateway-{number}", "carillon_gateway_subscriptions", kind="post") > 0
    ]
    return number


async def test_followers_hear_of_a_post_and_its_author_of_a_comment(
    people: tuple[Person, Person, Person],
) -> None:
    """Live and in the inbox, or on return; nobody hears of what they did themselves."""
    alice, bob, carol = people
    await carol.leave()
    await bob.page.goto("/rooms/")
    await expect(bob.page.get_by_test_id("bell-count")).to_be_hidden()

    path = await alice.post("The bells are tuned")

    posted = f"{alice.name} posted: The bells are tuned"
    await expect(bob.page.get_by_test_id("bell-count")).to_have_text("1")
    await expect(bob.page.get_by_test_id("toast-open")).to_have_text(posted)
    assert await bob.inbox() == [posted]
    await bob.page.get_by_test_id("notification-open").click()
    await bob.page.wait_for_url(f"**{path}")
    await expect(bob.page.get_by_test_id("bell-count")).to_be_hidden()

    await carol.arrive()
    await expect(carol.page.get_by_test_id("bell-count")).to_have_text("1")
    assert await carol.inbox() == [posted]

    await bob.comment("I can hear it from here")
    await expect(alice.page.get_by_test_id("comment-text")).to_have_text("I can hear it from here")
    await expect(alice.page.get_by_test_id("bell-count")).to_have_text("1")
    await alice.comment("So can I")
    await expect(bob.page.get_by_test_id("comment")).to_have_count(2)

    assert await alice.inbox() == [f"New comment on your post from {bob.name}"]
    await alice.page.get_by_test_id("notification-open").click()
    await alice.page.wait_for_url(f"**{path}#comment-*")
    assert await bob.inbox() == [posted]
    assert await carol.inbox() == [posted]


async def test_the_feed_says_that_there_is_something_new(
    people: tuple[Person, Person, Person],
) -> None:
    """A link with a number, which leads to the posts."""
    alice, bob, _ = people
    await bob.page.goto("/feed/")
    for number in (1, 2):
        await alice.post(f"post {number}")
        words = f"{number} new post{'s' if number > 1 else ''}"
        await expect(bob.page.get_by_test_id("new-posts")).to_have_text(words)
    await expect(bob.page.get_by_test_id("toast")).to_have_count(0)
    await bob.page.get_by_test_id("new-posts").click()
    await expect(bob.page.get_by_test_id("post-link")).to_have_text(["post 2", "post 1"])


async def test_no_comment_is_missing_or_double_while_a_page_loads(
    stack: RunningStack, people: tuple[Person, Person, Person]
) -> None:
    """What is said between the page and its connection comes once, in order."""
    alice, bob, _ = people
    path = await alice.post("Listen")
    talking = asyncio.create_task(asyncio.to_thread(say, Session(stack.url, "bob"), path, 0, 40))
    while not talking.done():
        await bob.read(path)
    await talking
    for person in (alice, bob):
        await expect(person.page.get_by_test_id("comment")).to_have_count(40)
        assert await person.comments() == [f"comment {number}" for number in range(40)]


async def test_all_times_of_a_page_are_the_readers(stack: RunningStack, browser: Browser) -> None:
    """Whether the server has written them or a script."""
    alice = Person(browser, stack.url, "alice", "America/New_York")
    await alice.arrive()
    path = await alice.post("Listen")
    await alice.comment("before")
    await alice.read(path)
    await alice.comment("after")
    shown = await alice.page.evaluate(TIMES)
    assert len(shown) == 3
    for text, expected in shown:
        assert text == expected
    await alice.page.context.close()


async def test_a_post_whose_gateway_is_killed_comes_back_with_every_comment_once(
    stack: RunningStack, people: tuple[Person, Person, Person]
) -> None:
    """Its gateway dies with SIGKILL among 30 comments and a deletion: the page shows the rest."""
    alice, bob, carol = people
    path = await alice.post("Listen")
    await bob.page.goto("/rooms/")
    await carol.page.goto("/rooms/")
    session = Session(stack.url, "bob")
    await asyncio.to_thread(say, session, path, 0, 10)
    await expect(alice.page.get_by_test_id("comment")).to_have_count(10)
    number = gateway_of_the_post(stack)
    first = await alice.page.get_by_test_id("comment").first.get_attribute("data-id")
    try:
        stack.kill_gateway(number)
        await asyncio.to_thread(say, session, path, 10, 30)
        form = {"action": "delete", "comment": str(first)}
        await asyncio.to_thread(session.post, path, form)
        await expect(alice.page.get_by_test_id("comment")).to_have_count(29, timeout=40_000)
        assert await alice.comments() == [f"comment {number}" for number in range(1, 30)]
        await alice.is_live()
    finally:
        stack.start_gateway(number)


async def test_what_is_deleted_goes_from_every_page(
    people: tuple[Person, Person, Person],
) -> None:
    """A comment at once, by its author or the post's; then the post, whose readers are told."""
    alice, bob, carol = people
    path = await alice.post("Regret")
    await bob.read(path)
    await bob.comment("a slip")
    await bob.comment("another slip")
    await carol.read(path)
    for person in (bob, alice):
        row = person.page.get_by_test_id("comment").first
        await row.get_by_test_id("delete-comment").press("Enter")
        await row.get_by_test_id("confirm-delete").press("Enter")
        left = 1 if person is bob else 0
        for reader in (alice, bob, carol):
            await expect(reader.page.get_by_test_id("comment")).to_have_count(left)
    await expect(carol.page.get_by_test_id("delete-post")).to_have_count(0)
    await alice.page.get_by_test_id("delete-post").click()
    await alice.page.locator("article").get_by_test_id("confirm-delete").click()
    await alice.page.wait_for_url("**/feed/")
    for reader in (bob, carol):
        await expect(reader.page.locator("#connection-notice")).to_contain_text("deleted")
    await bob.page.reload()
    await expect(bob.page.get_by_text("Nothing here")).to_be_visible()


async def test_everything_works_without_scripts(stack: RunningStack, browser: Browser) -> None:
    """Posting, commenting, deleting and following are forms."""
    context = await browser.new_context(base_url=stack.url, java_script_enabled=False)
    page = await context.new_page()
    page.set_default_timeout(15_000)
    await page.goto("/accounts/login/")
    await page.fill("input[name=username]", "carol")
    await page.fill("input[name=password]", "carillon")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/rooms/")
    await page.goto("/feed/")
    await page.get_by_test_id("new-post").click()
    await page.fill("input[name=title]", "By hand")
    await page.get_by_test_id("post-send").click()
    await page.wait_for_url("**/posts/*/")
    await expect(page.get_by_test_id("connection-state")).to_be_hidden()
    await page.fill("textarea[name=body]", "Still by hand")
    await page.get_by_test_id("comment-send").click()
    await expect(page.get_by_test_id("comment-text")).to_have_text("Still by hand")
    await page.get_by_test_id("delete-comment").click()
    await page.get_by_test_id("comment").get_by_test_id("confirm-delete").click()
    await expect(page.get_by_test_id("comment")).to_have_count(0)
    await page.get_by_test_id("delete-post").click()
    await page.get_by_test_id("confirm-delete").click()
    await page.wait_for_url("**/feed/")
    await page.goto("/people/alice/")
    await page.get_by_test_id("follow").click()
    await page.get_by_test_id("unfollow").click()
    await expect(page.get_by_test_id("follow")).to_be_visible()
    await context.close()
