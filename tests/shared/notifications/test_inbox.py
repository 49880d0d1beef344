from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from shared.accounts.models import User
from shared.broker.wire import Published
from shared.notifications.actions import (
    do_archive,
    do_mark_all_read,
    do_mark_read,
    do_mark_seen,
    do_mark_unread,
    do_set_preference,
    do_unarchive,
)
from shared.notifications.exceptions import UnknownCategory, UnknownNotification
from shared.notifications.models import Inbox, Notification
from shared.notifications.namespaces import UserNamespace, user_channel
from shared.notifications.notify import notify
from shared.notifications.queries import (
    InboxView,
    inbox_page,
    inbox_position,
    notification_of,
    preferences_of,
    unread_count,
)
from tests.shared.threads import run_together
from tests.team.kinds import PollClosed, Salutation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(alice: User) -> list[int]:
    """The ids of six notifications of alice's, the oldest first; the last is a salutation."""
    for n in range(5):
        notify(alice, PollClosed, poll=str(n), poll_id=n)
    notify(alice, Salutation)
    return list(Notification.objects.order_by("id").values_list("pk", flat=True))


def page(user: User, view: InboxView = InboxView.ALL, **narrowed: object) -> list[int]:
    return [row.pk for row in inbox_page(user, view, **narrowed)]  # type: ignore[arg-type]


def true_count(user: User) -> int:
    return Notification.objects.filter(user=user, read_at=None, archived_at=None).count()


def test_pages(alice: User, bob: User, told: list[int]) -> None:
    """Newest first, by keyset; nothing of anybody else's."""
    assert page(alice) == told[::-1]
    assert page(alice, limit=2) == told[:3:-1]
    assert page(alice, before=told[2]) == told[1::-1]
    assert page(alice, category="salutations") == told[5:]
    assert page(bob) == []


def test_views(alice: User, told: list[int]) -> None:
    """Unread means neither read nor archived; archived ones are in their own view alone."""
    do_mark_read(alice, told[:2])
    do_archive(alice, told[2:3])
    assert page(alice, InboxView.ALL) == [i for i in told[::-1] if i != told[2]]
    assert page(alice, InboxView.UNREAD) == told[:2:-1]
    assert page(alice, InboxView.ARCHIVED) == [told[2]]


@pytest.mark.parametrize(
    ("action", "state", "back"),
    [(do_mark_read, "read", do_mark_unread), (do_archive, "archived", do_unarchive)],
)
def test_there_and_back(
    rings: list[list[Published]],
    alice: User,
    told: list[int],
    action: Callable[[User, Sequence[int]], int],
    state: str,
    back: Callable[[User, Sequence[int]], int],
) -> None:
    """A change counts, is told to all of the user's connections, and can be taken back."""
    rings.clear()
    assert action(alice, told[1:3]) == unread_count(alice) == true_count(alice) == 4
    [[rung]] = rings
    assert rung.channel == user_channel(alice.pk)
    data = json.loads(rung.data)
    assert (data["type"], data["unread"], data["change"]["state"]) == ("unread", 4, state)
    assert sorted(data["change"]["ids"]) == told[1:3]
    assert back(alice, told[1:3]) == unread_count(alice) == true_count(alice) == 6


def test_nothing_changes(rings: list[list[Published]], alice: User, told: list[int]) -> None:
    """What is so already is neither counted nor told again."""
    do_mark_read(alice, told[:1])
    rings.clear()
    assert do_mark_read(alice, told[:1]) == 5
    assert do_mark_unread(alice, told[1:2]) == 5
    assert do_unarchive(alice, told) == 5
    assert rings == []


def test_both(alice: User, told: list[int]) -> None:
    """Reading what is archived, and archiving what is read, count once."""
    assert do_archive(alice, told[:2]) == 4
    assert do_mark_read(alice, told[:3]) == 3
    assert do_archive(alice, told[2:4]) == 2
    assert do_unarchive(alice, told[:4]) == 3
    assert unread_count(alice) == true_count(alice) == 3


def test_somebody_elses(alice: User, bob: User, told: list[int]) -> None:
    """Ids of another user, and ids of nobody, change nothing."""
    assert do_mark_read(bob, [*told, 2**62]) == 0
    assert do_archive(bob, told) == 0
    assert unread_count(alice) == 6
    with pytest.raises(UnknownNotification):
        notification_of(bob, told[0])
    assert notification_of(alice, told[0]).pk == told[0]


def test_all_read(rings: list[list[Published]], alice: User, told: list[int]) -> None:
    """Everything that is there becomes read, whatever its number, with one publication."""
    do_archive(alice, told[:1])
    rings.clear()
    assert do_mark_all_read(alice) == unread_count(alice) == true_count(alice) == 0
    [[rung]] = rings
    assert json.loads(rung.data)["change"] == {"state": "read", "ids": "all"}
    assert Notification.objects.get(pk=told[0]).read_at is None
    assert do_unarchive(alice, told[:1]) == 1


def test_seen(alice: User, told: list[int]) -> None:
    """Having looked at the inbox reads nothing."""
    assert do_mark_seen(alice) == 6
    assert not Notification.objects.filter(seen_at=None).exists()
    assert unread_count(alice) == true_count(alice) == 6


def test_without_inbox(alice: User) -> None:
    """A user who was never told anything has nothing unread."""
    assert unread_count(alice) == do_mark_all_read(alice) == 0
    assert inbox_position(alice).offset == 0


def test_count_under_load(alice: User, told: list[int]) -> None:
    """Whatever happens at the same time, the count is the number of unread rows."""

    def tell() -> None:
        for n in range(8):
            notify(alice, PollClosed, poll=str(n), poll_id=n)

    def read() -> None:
        for each in told:
            do_mark_read(alice, [each])

    def archive() -> None:
        for each in told[::-1]:
            do_archive(alice, [each])

    def read_all() -> None:
        for _ in range(3):
            do_mark_all_read(alice)

    run_together(tell, read, archive, read_all, tell)
    assert unread_count(alice) == true_count(alice)
    assert Inbox.objects.count() == 1


def test_preferences(alice: User, bob: User) -> None:
    """Every category of the installed kinds is wanted until it is switched off."""
    do_set_preference(alice, "polls", False)
    assert {each.category.key: each.enabled for each in preferences_of(alice)}["polls"] is False
    assert all(each.enabled for each in preferences_of(bob))
    with pytest.raises(UnknownCategory, match="nothing"):
        do_set_preference(alice, "nothing", False)


def test_who_may_hear(alice: User, bob: User) -> None:
    """A user's channel is theirs alone, and no client publishes to it."""
    namespace = UserNamespace()
    assert namespace.can_subscribe(alice, user_channel(alice.pk))
    assert not namespace.can_subscribe(alice, user_channel(bob.pk))
    assert not namespace.can_subscribe(alice, f"user:0{alice.pk}")
    assert not namespace.can_publish(alice, user_channel(alice.pk))


def test_names(alice: User, told: list[int]) -> None:
    """The admin's lists can be read."""
    assert str(Notification.objects.get(pk=told[5])) == f"to user {alice.pk}: Hello alice"
    assert str(Inbox.objects.get()) == f"inbox of user {alice.pk}: 6 unread"
