"""Announcements on pages whose script does not run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from shared.accounts.models import User
from shared.notifications.actions import do_announce
from shared.notifications.models import AnnouncementSeen

type SignIn = Callable[[User], Client]


def shown(browser: Client) -> list[str]:
    """Return which of the announcements below a page shows as text."""
    page = browser.get("/rooms/").content.decode()
    words = [f"Bell {number} &lt;rings&gt;" for number in range(5)]
    return [each for each in words if f">{each}</p>" in page]


def test_the_newest_three_are_on_every_page(alice: User, staff: User, signed_in: SignIn) -> None:
    """As the script shows them; strangers see none."""
    for number in range(5):
        do_announce(staff, f"Bell {number} <rings>")
    expected = [f"Bell {number} &lt;rings&gt;" for number in (2, 3, 4)]
    assert shown(signed_in(alice)) == expected
    assert "rings" not in Client().get("/accounts/login/").content.decode()


@pytest.mark.parametrize(
    ("back", "leads"),
    [
        ("/feed/?tab=everybody", "/feed/?tab=everybody"),
        ("//evil.example/", "/inbox/"),
        ("https://evil.example/", "/inbox/"),
        ("javascript:alert(1)", "/inbox/"),
        ("", "/inbox/"),
    ],
)
def test_one_is_dismissed_by_a_form(
    back: str, leads: str, alice: User, staff: User, signed_in: SignIn
) -> None:
    """For this reader, who is back where they were; other sites are led nowhere."""
    announcement = do_announce(staff, "Bell 1 <rings>")
    browser = signed_in(alice)
    response = browser.post(f"/announcements/{announcement.pk}/seen/", {"next": back})
    assert response.headers["Location"] == leads
    assert shown(browser) == []
    assert shown(signed_in(staff)) != []


def test_only_an_announcement_can_be_dismissed(alice: User, signed_in: SignIn) -> None:
    """Looking dismisses nothing either."""
    browser = signed_in(alice)
    assert browser.post("/announcements/1/seen/").status_code == 404
    assert browser.post("/announcements/99999999999999999999/seen/").status_code == 404
    assert browser.get("/announcements/1/seen/").status_code == 405
    assert not AnnouncementSeen.objects.exists()
