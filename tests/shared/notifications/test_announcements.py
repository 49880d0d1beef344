from __future__ import annotations

import json

import pytest

from shared.accounts.models import User
from shared.broker.wire import Published
from shared.notifications.actions import do_announce
from shared.notifications.exceptions import InvalidAnnouncement, NotStaff
from shared.notifications.models import Announcement
from shared.notifications.namespaces import ANNOUNCEMENTS, AnnouncementNamespace
from shared.notifications.queries import announcements_position
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
    assert json.loads(rung.data) == row.as_data()
    publication = Publication.objects.get()
    assert (publication.ref, publication.data) == (row.pk, None)
    assert json.loads(history(ANNOUNCEMENTS).publications[0].data) == row.as_data()


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
    staff.is_active = False
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
