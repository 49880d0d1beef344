from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from shared.accounts.models import User
from shared.broker.wire import Published
from shared.notifications.actions import (
    do_announce,
    do_see_announcement,
    do_set_preference,
)
from shared.notifications.exceptions import InvalidAnnouncement, NotStaff, UnknownAnnouncement
from shared.notifications.models import Announcement
from shared.notifications.namespaces import ANNOUNCEMENTS, AnnouncementNamespace
from shared.notifications.queries import (
    announcements_position,
    newest_announcements,
    unseen_announcements,
)
from shared.notifications.staff_kinds import announcement_data
from shared.realtime.history import history
from shared.realtime.models import Publication

pytestmark = pytest.mark.django_db(transaction=True)


def test_announce(rings: list[list[Published]], staff: User) -> None:
    """The row, a thin publication that refers to it, and one bell."""
    before = announcements_position()
    assert before is not None
    row = do_announce(staff, "Cake in the kitchen")
    [[rung]] = rings
    assert rung.channel == ANNOUNCEMENTS
    assert rung.offset == before.offset + 1
    assert json.loads(rung.data) == announcement_data(row)
    assert (
        json.loads(rung.data).items() >= {"type": "announcement", "title": "Announcement"}.items()
    )
    publication = Publication.objects.get()
    assert (publication.ref, publication.data) == (row.pk, None)
    assert json.loads(history(ANNOUNCEMENTS).publications[0].data) == announcement_data(row)


def test_corrected_and_withdrawn(staff: User) -> None:
    """Later readers get an announcement as the row is now; of a deleted one only a place."""
    first, second = do_announce(staff, "Cake at nono"), do_announce(staff, "wrong list, sorry")
    Announcement.objects.filter(pk=first.pk).update(message="Cake at noon")
    second.delete()
    read = [json.loads(each.data) for each in history(ANNOUNCEMENTS).publications]
    assert read[0]["message"] == "Cake at noon"
    assert read[1] == {"type": "redacted"}


def test_only_staff(rings: list[list[Published]], alice: User, staff: User) -> None:
    """Nobody else announces, nor staff that was deactivated."""
    User.objects.filter(pk=staff.pk).update(is_active=False)
    for user in (alice, staff):
        with pytest.raises(NotStaff):
            do_announce(user, "I am the staff")
    assert not Announcement.objects.exists()
    assert rings == []


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "x" * 2_001, "a\0b", "\ud800"])
def test_text_is_refused(staff: User, text: str) -> None:
    """A text that cannot be announced is refused with a sentence."""
    with pytest.raises(InvalidAnnouncement, match=r"\.$"):
        do_announce(staff, text)
    assert not Announcement.objects.exists()


def test_who_may_hear(alice: User) -> None:
    """Everybody who is active hears announcements, on their one channel; nobody sends there."""
    namespace = AnnouncementNamespace()
    assert namespace.can_subscribe(alice, ANNOUNCEMENTS)
    assert not namespace.can_subscribe(alice, "announcements:other")
    assert not namespace.can_publish(alice, ANNOUNCEMENTS)
    alice.is_active = False
    assert not namespace.can_subscribe(alice, ANNOUNCEMENTS)


def test_readable_name(staff: User) -> None:
    """The admin's list shows how an announcement begins."""
    assert str(do_announce(staff, "Cake " * 30)) == ("Cake " * 30)[:60]


def test_life(staff: User, alice: User) -> None:
    """Whoever connects sees an announcement until it is over; one that would be over is refused."""
    soon = timezone.now() + timedelta(hours=1)
    row = do_announce(staff, "Cake until one", soon)
    assert announcement_data(row)["expires_at"] == soon.isoformat()
    assert newest_announcements() == unseen_announcements(alice) == [row]
    Announcement.objects.update(expires_at=timezone.now())
    assert newest_announcements() == unseen_announcements(alice) == []
    with pytest.raises(InvalidAnnouncement, match="later"):
        do_announce(staff, "Cake yesterday", timezone.now())


def test_seen(rings: list[list[Published]], staff: User, alice: User, bob: User) -> None:
    """What a user has seen on one device is seen on all of theirs, and on nobody else's."""
    row = do_announce(staff, "Cake")
    rings.clear()
    for _ in range(2):
        do_see_announcement(alice, row.pk)
    assert unseen_announcements(alice) == []
    assert unseen_announcements(bob) == [row]
    [[rung]] = rings
    assert rung.channel == f"user:{alice.pk}"
    assert json.loads(rung.data) == {"type": "seen_announcement", "id": row.pk}
    with pytest.raises(UnknownAnnouncement):
        do_see_announcement(alice, row.pk + 1)


def test_not_wanted(staff: User, alice: User) -> None:
    """A user who switched announcements off is shown none."""
    do_announce(staff, "Cake")
    do_set_preference(alice, "announcements", False)
    assert unseen_announcements(alice) == []


def test_from_before(staff: User) -> None:
    """A new user is not shown what was announced before they came."""
    do_announce(staff, "Cake last week")
    assert unseen_announcements(User.objects.create_user("dora")) == []
