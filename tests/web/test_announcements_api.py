"""`/api/v1/announcements`: what a page reads when its place in the announcements is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from services.web.api import announcements as announcements_api
from shared.accounts.models import User
from shared.notifications.actions import do_announce
from shared.notifications.models import Announcement
from shared.notifications.queries import announcements_position

type SignIn = Callable[[User], Client]

ANNOUNCEMENTS = "/api/v1/announcements"


def test_an_announcement_is_told_as_its_frame_tells_it(
    alice: User, staff: User, signed_in: SignIn
) -> None:
    """Id, text and time, and the position from which to listen."""
    announcement = do_announce(staff, "Lunch <b>!")
    assert signed_in(alice).get(ANNOUNCEMENTS).json() == {
        "announcements": [
            {
                "id": announcement.pk,
                "message": "Lunch <b>!",
                "timestamp": announcement.created_at.isoformat(),
            }
        ],
        "position": str(announcements_position()),
    }


def test_the_newest_twenty_come_the_oldest_first(
    alice: User, staff: User, signed_in: SignIn
) -> None:
    """Older ones nobody reads any more."""
    for number in range(23):
        do_announce(staff, f"announcement {number}")
    found = signed_in(alice).get(ANNOUNCEMENTS).json()["announcements"]
    assert [each["message"] for each in found] == [f"announcement {n}" for n in range(3, 23)]


def test_what_is_older_than_thirty_days_is_left_out(
    alice: User, staff: User, signed_in: SignIn
) -> None:
    """A page shows nothing that its connection could not have told."""
    now = timezone.now()
    for days, message in ((31, "long ago"), (29, "lately")):
        announcement = do_announce(staff, message)
        Announcement.objects.filter(pk=announcement.pk).update(
            created_at=now - timedelta(days=days)
        )
    found = signed_in(alice).get(ANNOUNCEMENTS).json()["announcements"]
    assert [each["message"] for each in found] == ["lately"]


def test_what_is_announced_meanwhile_comes_after_the_position(
    alice: User, staff: User, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position is read first: an announcement beside it may come twice, never not at all."""
    do_announce(staff, "first")
    before = str(announcements_position())
    read = announcements_api.newest_announcements

    def announce_and_read() -> list[Announcement]:
        do_announce(staff, "second")
        return read()

    monkeypatch.setattr(announcements_api, "newest_announcements", announce_and_read)
    answer = signed_in(alice).get(ANNOUNCEMENTS).json()
    assert answer["position"] == before
    assert [each["message"] for each in answer["announcements"]] == ["first", "second"]


def test_none_is_an_empty_list(alice: User, signed_in: SignIn) -> None:
    """Before the first announcement there is nothing, and that is no error."""
    assert signed_in(alice).get(ANNOUNCEMENTS).json()["announcements"] == []


def test_strangers_are_told_to_sign_in(db: None) -> None:
    """401 in the one shape."""
    response = Client().get(ANNOUNCEMENTS)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "unauthenticated"
