"""A bulk job through its pages: three real browsers, the stack, three thousand people."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Browser, Page, expect

from tests.integration.pages import signed_in_page
from tests.servers import RunningStack

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

PEOPLE = 3_000
PREPARE = """
from shared.accounts.models import User
fresh = [User(username=f"crowd-{{number}}") for number in range({people})]
User.objects.bulk_create(fresh, ignore_conflicts=True)
if not User.objects.filter(username="second").exists():
    User.objects.create_user("second", password="carillon", is_staff=True)
meant = User.objects.filter(username__startswith="crowd-") | User.objects.filter(username="bob")
print(",".join(str(pk) for pk in meant.values_list("pk", flat=True)))
"""
# What the bar has shown since the page was loaded, in order.
WATCH = """
window.shown = [];
document.addEventListener("DOMContentLoaded", () => {
  const bar = document.querySelector("#job-bar");
  if (!bar) return;
  const note = () => window.shown.push(bar.value);
  note();
  new MutationObserver(note).observe(bar, { attributes: true });
});
"""


def recipients(stack: RunningStack) -> list[str]:
    """Make the people that these tests tell; return their ids and bob's."""
    code = PREPARE.format(people=PEOPLE)
    output = stack.manage("shell", "--verbosity", "0", "--command", code)
    return output.split()[-1].split(",")


async def draft(page: Page, title: str, ids: list[str]) -> None:
    """Upload a list of ids with a text; the page becomes the draft's."""
    await page.goto("/staff/bulk/")
    await page.get_by_label("Title").fill(title)
    await page.get_by_label("A list of user ids").check()
    content = "id\n" + "\n".join(ids) + "\n"
    await page.get_by_label("Upload a list").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": content.encode()}
    )
    await page.get_by_role("button", name="Make a draft").click()
    await expect(page.get_by_test_id("job-state")).to_have_text("Draft")


async def shown(page: Page) -> list[float]:
    """Return the values that the bar has had on this page, from its loading on."""
    values: list[float] = json.loads(await page.evaluate("JSON.stringify(window.shown)"))
    return values


async def test_a_job_to_three_thousand_moves_its_bar_and_rings_a_recipients_bell(
    stack: RunningStack, browser: Browser
) -> None:
    """The bar goes from nothing to all without a reload, for all staff; it never falls."""
    ids = recipients(stack)
    assert len(ids) == PEOPLE + 1
    admin = await signed_in_page(browser, stack.url, "admin", WATCH)
    second = await signed_in_page(browser, stack.url, "second", WATCH)
    bob = await signed_in_page(browser, stack.url, "bob", WATCH)
    await bob.goto("/inbox/")
    unread = int(await bob.get_by_test_id("bell-count").text_content() or 0)
    await draft(admin, "Maintenance tonight", ids)
    await expect(admin.get_by_test_id("job-recipients")).to_have_text("3,001")
    await expect(admin.get_by_test_id("job-preview")).to_contain_text("Maintenance tonight")
    # So that both pages are there before anything moves.
    stack.server("bulk").stop()
    await admin.get_by_test_id("job-start").click()
    await expect(admin.get_by_test_id("job-state")).to_have_text("Planning")
    await second.goto(admin.url)
    stack.server("bulk").start()
    for page in (admin, second):
        await expect(page.get_by_test_id("job-state")).to_have_text("Finished", timeout=60_000)
        await expect(page.get_by_test_id("job-percent")).to_have_text("100 %")
        await expect(page.get_by_test_id("job-delivered")).to_have_text("3,001")
        # Buttons go with the state.
        await expect(page.get_by_test_id("job-pause")).to_have_count(0)
        await expect(page.get_by_test_id("job-cancel")).to_have_count(0)
        values = await shown(page)
        assert values[0] == 0
        assert values[-1] == 100
        assert values == sorted(values)
    await expect(bob.get_by_test_id("bell-count")).to_have_text(str(unread + 1))
    await expect(bob.get_by_text("Maintenance tonight").first).to_be_visible()


async def test_a_job_is_cancelled_with_the_keyboard(stack: RunningStack, browser: Browser) -> None:
    """It takes two presses, and then nothing is sent, whoever wakes up later."""
    ids = recipients(stack)
    admin = await signed_in_page(browser, stack.url, "admin", WATCH)
    await draft(admin, "To be cancelled", ids)
    stack.server("bulk").stop()
    await admin.get_by_test_id("job-start").press("Enter")
    await expect(admin.get_by_test_id("job-state")).to_have_text("Planning")
    await admin.get_by_test_id("job-cancel").press("Enter")
    await admin.get_by_test_id("job-cancel-confirm").press("Enter")
    await expect(admin.get_by_test_id("job-state")).to_have_text("Cancelled")
    await expect(admin.get_by_test_id("job-cancel")).to_have_count(0)
    stack.server("bulk").start()
    await admin.reload()
    await expect(admin.get_by_test_id("job-delivered")).to_have_text("0")
