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
                "expires_at": None,
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
    User.objects.update(date_joined=now - timedelta(days=40))
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
    read = announcements_api.unseen_announcements

    def announce_and_read(user: User) -> list[Announcement]:
        do_announce(staff, "second")
        return read(user)

    monkeypatch.setattr(announcements_api, "unseen_announcements", announce_and_read)
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


def test_what_a_user_has_seen_is_told_no_more(
    alice: User, bob: User, staff: User, signed_in: SignIn
) -> None:
    """Seen by one, on whatever device; others still hear of it. Again changes nothing."""
    announcement = do_announce(staff, "Lunch!")
    for _ in range(2):
        seen = signed_in(alice).post(f"{ANNOUNCEMENTS}/{announcement.pk}/seen")
        assert (seen.status_code, seen.content) == (204, b"")
    assert signed_in(alice).get(ANNOUNCEMENTS).json()["announcements"] == []
    assert len(signed_in(bob).get(ANNOUNCEMENTS).json()["announcements"]) == 1


def test_an_unknown_announcement_cannot_be_seen(alice: User, signed_in: SignIn) -> None:
    """404 for an id that nobody has, and for one that nobody can have."""
    for number in (1, 0, 10**30):
        response = signed_in(alice).post(f"{ANNOUNCEMENTS}/{number}/seen")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"


def test_staff_announce(alice: User, staff: User, signed_in: SignIn) -> None:
    """201 with what everybody is told, until when it is shown included."""
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    response = signed_in(staff).post(
        ANNOUNCEMENTS, {"message": "Lunch!", "expires_at": until}, "application/json"
    )
    assert response.status_code == 201
    assert response.json()["expires_at"] == until
    assert signed_in(alice).get(ANNOUNCEMENTS).json()["announcements"] == [response.json()]


def test_others_do_not_announce(alice: User, signed_in: SignIn) -> None:
    """403 in the one shape, and nothing is stored."""
    response = signed_in(alice).post(ANNOUNCEMENTS, {"message": "Hear me"}, "application/json")
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "forbidden"
    assert not Announcement.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"message": " "}, "message"),
        ({"message": "x" * 2001}, "message"),
        ({"message": "\0"}, "message"),
        ({"message": "now", "expires_at": "2001-01-01T00:00:00Z"}, "message"),
        ({"message": "now", "expires_at": "tomorrow"}, "expires_at"),
        ({"message": "now", "expires_at": "2099-01-01T00:00:00"}, "expires_at"),
    ],
)
def test_what_cannot_be_announced_names_its_field(
    body: dict[str, str], field: str, staff: User, signed_in: SignIn
) -> None:
    """400, and nothing is stored."""
    response = signed_in(staff).post(ANNOUNCEMENTS, body, "application/json")
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]
    assert not Announcement.objects.exists()
