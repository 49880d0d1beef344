"""The inbox and the bell: what a user sees of their notifications, and does with them by forms."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client

from services.web.pages import inbox as inbox_module
from shared.accounts.models import User
from shared.notifications.actions import do_archive, do_mark_read
from shared.notifications.kinds import Category
from shared.notifications.models import Inbox, Notification
from shared.notifications.notify import notify
from shared.notifications.queries import inbox_page, inbox_position, unread_count
from shared.notifications.staff_kinds import StaffMessage

type SignIn = Callable[[User], Client]


def tell(user: User, title: str, body: str = "", url: str = "") -> int:
    """Tell a user something; return the notification's id."""
    notify(user, StaffMessage, title=title, body=body, url=url)
    return Notification.objects.filter(user=user).latest("id").pk


def titles(browser: Client, query: str = "") -> list[str]:
    """Return what the inbox lists."""
    return [row.title for row, _ in browser.get(f"/inbox/{query}").context["items"]]


def data_of(page: str, name: str) -> dict[str, object]:
    """Return what a page carries for its script."""
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', page)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data


def states(user: User) -> dict[str, tuple[bool, bool]]:
    """Return by title whether each notification is read, and archived."""
    return {
        row.title: (row.read_at is not None, row.archived_at is not None)
        for row in Notification.objects.filter(user=user)
    }


def test_the_bell_is_on_every_page_with_the_servers_count(alice: User, signed_in: SignIn) -> None:
    """The number for the eye, a sentence for a screen reader, data and place for the script."""
    for number in range(3):
        tell(alice, f"news {number}")
    page = signed_in(alice).get("/rooms/").content.decode()
    assert 'aria-label="Inbox, 3 unread notifications"' in page
    assert re.search(r'data-testid="bell-count">3</span>', page)
    data = data_of(page, "page-data")
    assert (data["unread"], data["inbox"]) == (3, str(inbox_position(alice)))


@pytest.mark.parametrize(("unread", "shown"), [(1, "1"), (99, "99"), (100, "99+"), (12_000, "99+")])
def test_the_badge_counts_to_99(unread: int, shown: str, alice: User, signed_in: SignIn) -> None:
    """Beyond that it says that there are more; a screen reader hears the number itself."""
    Inbox.objects.create(user=alice, unread=unread)
    page = signed_in(alice).get("/rooms/").content.decode()
    assert f'data-testid="bell-count">{shown}</span>' in page
    assert f"Inbox, {unread} unread notification" in page


def test_nothing_unread_is_no_badge(alice: User, signed_in: SignIn) -> None:
    """Neither a zero nor an empty bubble, also for somebody who was never told anything."""
    page = signed_in(alice).get("/rooms/").content.decode()
    assert 'data-testid="bell-count" hidden>' in page
    assert "Inbox, nothing unread" in page
    assert 'id="bell"' not in Client().get("/accounts/login/").content.decode()


def test_the_newest_is_on_top_and_the_rest_is_on_older_pages(
    alice: User, signed_in: SignIn
) -> None:
    """Pages go by id: what comes in meanwhile moves nothing."""
    for number in range(45):
        tell(alice, f"{number}")
    browser = signed_in(alice)
    first = browser.get("/inbox/")
    assert [row.title for row, _ in first.context["items"]] == [str(n) for n in range(44, 24, -1)]
    tell(alice, "meanwhile")
    second = browser.get("/inbox/" + first.context["older"])
    assert [row.title for row, _ in second.context["items"]] == [str(n) for n in range(24, 4, -1)]
    third = browser.get("/inbox/" + second.context["older"])
    assert [row.title for row, _ in third.context["items"]] == ["4", "3", "2", "1", "0"]
    assert third.context["older"] is None
    assert titles(browser, third.context["first"])[0] == "meanwhile"


def test_views_and_categories_choose(alice: User, signed_in: SignIn) -> None:
    """All but the archive, the unread, the archive; and of each one category."""
    tell(alice, "unread")
    do_mark_read(alice, [tell(alice, "read")])
    do_archive(alice, [tell(alice, "archived")])
    Notification.objects.filter(title="read").update(category="announcements")
    browser = signed_in(alice)
    assert titles(browser) == titles(browser, "?view=all") == ["read", "unread"]
    assert titles(browser, "?view=unread") == ["unread"]
    assert titles(browser, "?view=archived") == ["archived"]
    assert titles(browser, "?view=all&category=announcements") == ["read"]
    assert titles(browser, "?view=unread&category=announcements") == []


@pytest.mark.parametrize(
    "query",
    [
        "?view=burnt",
        "?category=%00",
        "?before=x",
        "?before=-1",
        "?before=99999999999999999999",
        "?before=9223372036854775807",
        "?before=%D9%A3",
    ],
)
def test_what_cannot_be_asked_for_is_left_out(query: str, alice: User, signed_in: SignIn) -> None:
    """A link that was cut or made up shows the inbox."""
    tell(alice, "news")
    assert titles(signed_in(alice), query) == ["news"]


def test_another_users_notifications_are_not_there(
    alice: User, bob: User, signed_in: SignIn
) -> None:
    """Not in the list, not by address, and no form changes them."""
    theirs = tell(alice, "for alice")
    browser = signed_in(bob)
    assert titles(browser) == []
    assert browser.get(f"/inbox/{theirs}/").status_code == 404
    assert browser.post(f"/inbox/{theirs}/").status_code == 404
    for change in ("read", "archive"):
        browser.post("/inbox/", {change: theirs})
    assert states(alice) == {"for alice": (False, False)}
    assert unread_count(alice) == 1


def test_forms_change_states_and_come_back_to_the_same_page(alice: User, signed_in: SignIn) -> None:
    """Read, unread, archived and back, without any script."""
    first, second = tell(alice, "first"), tell(alice, "second")
    browser = signed_in(alice)
    response = browser.post("/inbox/?view=unread&before=99", {"read": first})
    assert response.headers["Location"] == "/inbox/?view=unread&before=99"
    assert states(alice) == {"first": (True, False), "second": (False, False)}
    browser.post("/inbox/", {"unread": first})
    browser.post("/inbox/", {"archive": second})
    assert states(alice) == {"first": (False, False), "second": (False, True)}
    assert unread_count(alice) == 1
    browser.post("/inbox/", {"unarchive": second})
    assert unread_count(alice) == 2
    browser.post("/inbox/", {"read": "all"})
    assert states(alice) == {"first": (True, False), "second": (True, False)}
    assert unread_count(alice) == 0


@pytest.mark.parametrize(
    "form",
    [{}, {"read": ""}, {"read": "x"}, {"read": "-1"}, {"archive": "all"}, {"burn": "1"}],
)
def test_a_form_that_says_nothing_is_refused(
    form: dict[str, str], alice: User, signed_in: SignIn
) -> None:
    """400, and nothing changes."""
    tell(alice, "news")
    assert signed_in(alice).post("/inbox/", form).status_code == 400
    assert states(alice) == {"news": (False, False)}


@pytest.mark.parametrize("value", ["0", "99999999999999999999", "9223372036854775807"])
def test_an_id_that_nobody_has_is_passed_over(value: str, alice: User, signed_in: SignIn) -> None:
    """It may have been deleted since; a number beyond all ids is no id."""
    status = 400 if len(value) > 19 else 302
    assert signed_in(alice).post("/inbox/", {"read": value}).status_code == status


@pytest.mark.parametrize(
    ("url", "leads"),
    [("/posts/7/", "/posts/7/"), ("http://testserver/rooms/", "http://testserver/rooms/")],
)
def test_a_deep_link_marks_read_and_goes_on(
    url: str, leads: str, alice: User, signed_in: SignIn
) -> None:
    """Looking marks nothing; the form does, and leads to what the notification is about."""
    told = tell(alice, "news", url=url)
    browser = signed_in(alice)
    assert browser.get(f"/inbox/{told}/").status_code == 200
    assert unread_count(alice) == 1
    response = browser.post(f"/inbox/{told}/")
    assert (response.status_code, response.headers["Location"]) == (302, leads)
    assert unread_count(alice) == 0


def test_another_site_is_shown_before_it_is_gone_to(alice: User, signed_in: SignIn) -> None:
    """The form leads to the notification's own page, which names the site in its link."""
    told = tell(alice, "news", url="https://status.example.org/a?b=c&d")
    browser = signed_in(alice)
    response = browser.post(f"/inbox/{told}/", follow=True)
    assert response.redirect_chain == [(f"/inbox/{told}/", 302)]
    page = response.content.decode()
    assert 'href="https://status.example.org/a?b=c&amp;d"' in page
    assert "Go to status.example.org" in page


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/\\evil.example",
        "http://[::1",
        "ftp://evil.example/",
    ],
)
def test_an_address_that_is_none_is_no_link(url: str, alice: User, signed_in: SignIn) -> None:
    """Whatever a row holds, nothing but this site and http(s) is ever followed."""
    told = tell(alice, "news")
    Notification.objects.filter(pk=told).update(url=url)
    browser = signed_in(alice)
    assert browser.post(f"/inbox/{told}/").headers["Location"] == f"/inbox/{told}/"
    page = browser.get(f"/inbox/{told}/").content.decode()
    assert f'href="{url}' not in page
    assert titles(browser) == ["news"]


def test_titles_and_bodies_are_text(alice: User, signed_in: SignIn) -> None:
    """Markup in them is shown, in the page and in what its script reads."""
    told = tell(alice, "<img src=x>", body="</script><b>bold</b>")
    for path in ("/inbox/", f"/inbox/{told}/"):
        page = signed_in(alice).get(path).content.decode()
        assert "<img src=x>" not in page
        assert "&lt;img src=x&gt;" in page
        assert "<b>bold</b>" not in page


def test_the_script_goes_on_from_before_the_rows(
    alice: User, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes in while the page is made is in it and comes again, where it could be lost."""
    tell(alice, "before")
    place = str(inbox_position(alice))

    def tell_and_read(*args: object, **kwargs: object) -> list[Notification]:
        tell(alice, "meanwhile")
        return inbox_page(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(inbox_module, "inbox_page", tell_and_read)
    page = signed_in(alice).get("/inbox/").content.decode()
    assert data_of(page, "page-data")["inbox"] == place
    listed = data_of(page, "inbox-data")["notifications"]
    assert isinstance(listed, list)
    assert [each["title"] for each in listed] == ["meanwhile", "before"]
    assert {(each["read"], each["archived"]) for each in listed} == {(False, False)}


def test_a_notification_of_a_category_that_is_gone_is_shown(alice: User, signed_in: SignIn) -> None:
    """An app that was taken out leaves its notifications; they go by the category's key."""
    gone = Category("polls", "Polls")
    Notification.objects.create(user=alice, kind="polls.closed", category=gone.key, title="closed")
    page = signed_in(alice).get("/inbox/").content.decode()
    assert "closed" in page
    assert "polls" in page


def test_times_are_the_readers(alice: User, signed_in: SignIn) -> None:
    """Without a script the list says when, in the time zone of the account."""
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")
    told = tell(alice, "news")
    at = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)
    Notification.objects.filter(pk=told).update(created=at)
    assert "23 Nov, 01:30" in signed_in(alice).get("/inbox/").content.decode()
