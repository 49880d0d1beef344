"""Writes of this app."""

from __future__ import annotations

from django.db import transaction

from shared.accounts.models import User
from shared.notifications.exceptions import InvalidAnnouncement, NotStaff
from shared.notifications.models import Announcement
from shared.notifications.namespaces import ANNOUNCEMENTS
from shared.realtime.publish import publish
from shared.realtime.text import refuse_text
from shared.realtime.transactions import retry_on_deadlock

__all__ = ["do_announce"]


@retry_on_deadlock
def do_announce(user: User, message: str) -> Announcement:
    """
    Announce to everybody.

    Raises:
        NotStaff: the user may not announce.
        InvalidAnnouncement: blank, too long, or not storable.
    """
    if not (user.is_active and user.is_staff):
        raise NotStaff
    if words := refuse_text(message, maximum=Announcement.MESSAGE_CHARACTERS):
        raise InvalidAnnouncement(words)
    with transaction.atomic():
        announcement = Announcement.objects.create(message=message, created_by=user)
        publish(ANNOUNCEMENTS, announcement.as_data(), ref=announcement.pk)
    return announcement
