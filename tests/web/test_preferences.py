"""The page on which a user says what they want to be told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from shared.accounts.models import User
from shared.notifications.actions import do_announce, do_set_preference
from shared.notifications.kinds import categories
from shared.notifications.models import Notification, Preference
from shared.notifications.notify import notify
from shared.notifications.queries import preferences_of
from shared.notifications.staff_kinds import StaffMessage

type SignIn = Callable[[User], Client]

PREFERENCES = "/accounts/notifications/"


def wanted(user: User) -> set[str]:
    """Return the categories that a user wants."""
    return {category.key for category, enabled in preferences_of(user) if enabled}


def test_everything_is_on_until_it_is_switched_off(alice: User, signed_in: SignIn) -> None:
    """Each category of every kind has its checkbox, ticked."""
    page = signed_in(alice).get(PREFERENCES)
    assert set(page.context["form"].initial["wanted"]) == {each.key for each in categories()}
    for category in categories():
        assert str(category.label) in page.content.decode()


def test_what_is_not_ticked_is_switched_off_and_comes_back(alice: User, signed_in: SignIn) -> None:
    """Saved by the form; a notification of such a category is not delivered."""
    browser = signed_in(alice)
    others = wanted(alice) - {"messages"}
    response = browser.post(PREFERENCES, {"wanted": sorted(others)}, follow=True)
    assert b"Your notification preferences are saved." in response.content
    assert wanted(alice) == others
    notify(alice, StaffMessage, title="unwanted", body="", url="")
    assert not Notification.objects.exists()
    browser.post(PREFERENCES, {"wanted": [*others, "messages"]})
    notify(alice, StaffMessage, title="wanted", body="", url="")
    assert Notification.objects.get().title == "wanted"


def test_only_what_changes_is_written(alice: User, signed_in: SignIn) -> None:
    """Saving what is there already leaves no rows behind."""
    signed_in(alice).post(PREFERENCES, {"wanted": sorted(wanted(alice))})
    assert not Preference.objects.exists()


def test_nothing_at_all_may_be_wanted(alice: User, signed_in: SignIn) -> None:
    """A form without a single tick is an answer."""
    signed_in(alice).post(PREFERENCES, {})
    assert wanted(alice) == set()


@pytest.mark.parametrize("value", ["burnt", "", "a\0b"])
def test_a_category_that_nobody_declares_is_refused(
    value: str, alice: User, signed_in: SignIn
) -> None:
    """400 with the field's fault; nothing is switched off by it."""
    response = signed_in(alice).post(PREFERENCES, {"wanted": [value]})
    assert response.status_code == 400
    assert response.context["form"].errors["wanted"]
    assert not Preference.objects.exists()


def test_who_wants_no_announcements_has_none_on_the_page(
    alice: User, staff: User, signed_in: SignIn
) -> None:
    """The page carries none, and its script is told to show none."""
    do_announce(staff, "Maintenance at noon")
    browser = signed_in(alice)
    data = browser.get("/rooms/").context["page_data"]()
    assert [each["message"] for each in data["open_announcements"]] == ["Maintenance at noon"]
    assert data["hears_announcements"] is True
    do_set_preference(alice, "announcements", False)
    data = browser.get("/rooms/").context["page_data"]()
    assert (data["open_announcements"], data["hears_announcements"]) == ([], False)
