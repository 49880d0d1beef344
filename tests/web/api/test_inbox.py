"""The inbox and the preferences, through the API."""

from __future__ import annotations

from typing import Any

import pytest

from shared.accounts.models import User
from shared.notifications.models import Notification, Preference
from shared.notifications.notify import notify
from shared.notifications.queries import inbox_position
from shared.notifications.staff_kinds import StaffMessage
from tests.web.api.conftest import Browser


@pytest.fixture
def ids(alice: User) -> list[int]:
    """The ids of five notifications of alice's, the oldest first."""
    for number in range(5):
        notify(alice, StaffMessage, title=f"message {number}", body="", url="/rooms/")
    return list(Notification.objects.order_by("id").values_list("id", flat=True))


def test_a_notification_is_told_in_full(alice: User, browser: Browser) -> None:
    """What its frame says of it, and its states; with the count and the position to listen from."""
    notify(alice, StaffMessage, title="Hello", body="you", url="/rooms/")
    row = Notification.objects.get()
    assert browser(alice).get("notifications").json() == {
        "notifications": [{**row.as_data(), "seen": False, "read": False, "archived": False}],
        "unread": 1,
        "position": str(inbox_position(alice)),
        "next": None,
    }


def test_an_empty_inbox(alice: User, browser: Browser) -> None:
    """Nothing, and no position yet: reading makes no stream."""
    assert browser(alice).get("notifications").json() == {
        "notifications": [],
        "unread": 0,
        "position": None,
        "next": None,
    }


def test_pages_and_views(ids: list[int], alice: User, browser: Browser) -> None:
    """Newest first, cut by id; archived ones are a view of their own."""
    api = browser(alice)

    def seen(**query: Any) -> list[int]:
        return [each["id"] for each in api.get("notifications", **query).json()["notifications"]]

    first = api.get("notifications", limit=2).json()
    assert [each["id"] for each in first["notifications"]] == ids[:2:-1]
    assert seen(limit=2, before=first["next"]) == ids[2:0:-1]
    assert api.post("notifications/read", {"ids": ids[:1]}).json() == {"unread": 4}
    assert api.post("notifications/archive", {"ids": ids[1:2]}).json() == {"unread": 3}
    assert seen() == [ids[4], ids[3], ids[2], ids[0]]
    assert seen(view="unread") == [ids[4], ids[3], ids[2]]
    assert seen(view="archived") == [ids[1]]
    assert seen(category="messages") == seen()
    assert seen(category="posts") == []
    assert api.get("notifications", view="deleted").status_code == 400
    assert api.get("notifications", category="No\0such").status_code == 400


def test_states_change_and_change_back(ids: list[int], alice: User, browser: Browser) -> None:
    """Each answer has the count; again changes nothing."""
    api = browser(alice)
    for path, body, unread in (
        ("read", {"ids": ids[:2]}, 3),
        ("read", {"ids": ids[:2]}, 3),
        ("unread", {"ids": ids[:1]}, 4),
        ("archive", {"ids": ids[3:]}, 2),
        ("unarchive", {"ids": ids[3:]}, 4),
        ("seen", None, 4),
        ("read", {"all": True}, 0),
    ):
        assert api.post(f"notifications/{path}", body).json() == {"unread": unread}


def test_nobody_changes_anothers(ids: list[int], bob: User, browser: Browser) -> None:
    """They are passed over, as if they were not there."""
    assert browser(bob).post("notifications/read", {"ids": ids}).json() == {"unread": 0}
    assert not Notification.objects.exclude(read_at=None).exists()
    assert browser(bob).get("notifications").json()["notifications"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": [0]},
        {"ids": [2**63]},
        {"ids": ["1"]},
        {"ids": [1.5]},
        {"ids": [True]},
        {"ids": [1], "all": True},
        {"all": False},
        {"ids": list(range(1, 502))},
    ],
)
def test_what_to_mark_must_be_said(body: dict[str, Any], alice: User, browser: Browser) -> None:
    """Either ids or all, and at most 500 ids."""
    assert browser(alice).post("notifications/read", body).status_code == 400


def test_preferences(alice: User, bob: User, browser: Browser) -> None:
    """All categories are on until they are switched off; others are not concerned."""
    api = browser(alice)
    before = {each["category"]: each for each in api.get("preferences").json()["preferences"]}
    assert {"messages", "announcements"} <= set(before)
    assert all(each["enabled"] for each in before.values())
    change = {"preferences": [{"category": "messages", "enabled": False}]}
    answer = api.put("preferences", change).json()
    assert answer == api.get("preferences").json()
    after = {each["category"]: each["enabled"] for each in answer["preferences"]}
    assert after == {key: key != "messages" for key in before}
    assert all(each["enabled"] for each in browser(bob).get("preferences").json()["preferences"])


def test_an_unknown_category_changes_none(alice: User, browser: Browser) -> None:
    """400 naming it, and the ones before it stay as they were."""
    change = [
        {"category": "messages", "enabled": False},
        {"category": "nonsense", "enabled": False},
    ]
    response = browser(alice).put("preferences", {"preferences": change})
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["category"]
    assert not Preference.objects.exists()
