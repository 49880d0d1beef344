"""Writes of this app: what users do with their inboxes, and what staff announce."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from shared.accounts.access import is_active_staff
from shared.accounts.models import User
from shared.notifications.exceptions import (
    InvalidAnnouncement,
    NotStaff,
    UnknownAnnouncement,
    UnknownCategory,
)
from shared.notifications.kinds import categories
from shared.notifications.models import (
    Announcement,
    AnnouncementSeen,
    Inbox,
    Notification,
    Preference,
)
from shared.notifications.namespaces import ANNOUNCEMENTS, user_channel
from shared.notifications.staff_kinds import announcement_data
from shared.realtime.publish import publish
from shared.realtime.text import refuse_text
from shared.realtime.transactions import retry_on_deadlock

__all__ = [
    "CHANGED_AT_ONCE",
    "do_announce",
    "do_archive",
    "do_mark_all_read",
    "do_mark_read",
    "do_mark_seen",
    "do_mark_unread",
    "do_see_announcement",
    "do_set_preference",
    "do_unarchive",
]

# The most ids that one change takes.
CHANGED_AT_ONCE = 500

type Rows = QuerySet[Notification]


def do_mark_read(user: User, ids: Sequence[int]) -> int:
    """Mark notifications of one's own read, others are passed over; return the unread count."""
    return _change(user, "read", ids, lambda rows: rows.filter(read_at=None), read_at=True)


def do_mark_unread(user: User, ids: Sequence[int]) -> int:
    """Mark notifications of one's own unread again; return the unread count."""
    return _change(user, "unread", ids, lambda rows: rows.exclude(read_at=None), read_at=False)


def do_archive(user: User, ids: Sequence[int]) -> int:
    """Put notifications of one's own away; return the unread count, which they leave."""
    return _change(
        user, "archived", ids, lambda rows: rows.filter(archived_at=None), archived_at=True
    )


def do_unarchive(user: User, ids: Sequence[int]) -> int:
    """Fetch notifications of one's own back; return the unread count."""
    return _change(
        user, "unarchived", ids, lambda rows: rows.exclude(archived_at=None), archived_at=False
    )


def do_mark_all_read(user: User) -> int:
    """Mark everything read that is there now; return the unread count, which is 0."""
    return _change(
        user, "read", None, lambda rows: rows.filter(read_at=None, archived_at=None), read_at=True
    )


def do_mark_seen(user: User) -> int:
    """Note that the user has looked at their inbox; return the unread count, which stays."""
    return _change(
        user,
        "seen",
        None,
        lambda rows: rows.filter(seen_at=None, read_at=None, archived_at=None),
        seen_at=True,
    )


@retry_on_deadlock
def do_set_preference(user: User, category: str, enabled: bool) -> None:
    """
    Switch a category of notifications on or off for a user.

    Raises:
        UnknownCategory: no kind belongs to it.
    """
    if category not in {each.key for each in categories()}:
        raise UnknownCategory(category)
    Preference.objects.update_or_create(user=user, category=category, defaults={"enabled": enabled})


@retry_on_deadlock
def do_announce(user: User, message: str, expires_at: datetime | None = None) -> Announcement:
    """
    Announce to everybody: one row and one publication, however many people there are.

    Args:
        user: who announces.
        message: one to 2,000 characters.
        expires_at: until when it is shown to whoever connects; None for as long as it is kept.

    Raises:
        NotStaff: the user may not announce.
        InvalidAnnouncement: blank, too long, not storable, or over before it begins.
    """
    if not is_active_staff(user):
        raise NotStaff
    if words := refuse_text(message, maximum=Announcement.MESSAGE_CHARACTERS):
        raise InvalidAnnouncement(words)
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidAnnouncement("It would be over at once: choose a later time.")
    with transaction.atomic():
        announcement = Announcement.objects.create(
            message=message, created_by=user, expires_at=expires_at
        )
        publish(ANNOUNCEMENTS, announcement_data(announcement), ref=announcement.pk)
    return announcement


@retry_on_deadlock
def do_see_announcement(user: User, announcement_id: int) -> None:
    """
    Note that the user has seen an announcement, on all their devices.

    Raises:
        UnknownAnnouncement: there is none of this id.
    """
    if not Announcement.objects.filter(pk=announcement_id).exists():
        raise UnknownAnnouncement
    with transaction.atomic():
        _, new = AnnouncementSeen.objects.get_or_create(user=user, announcement_id=announcement_id)
        if new:
            publish(user_channel(user.pk), {"type": "seen_announcement", "id": announcement_id})


@retry_on_deadlock
def _change(
    user: User,
    state: str,
    ids: Sequence[int] | None,
    choose: Callable[[Rows], Rows],
    **stamps: bool,
) -> int:
    """
    Change the state of notifications, with the count and what the user's connections hear of it.

    Args:
        user: whose they are.
        state: how the publication names the change.
        ids: which; None for all that `choose` finds.
        choose: narrows the user's notifications to those that are not in the state yet.
        stamps: which times are set to now (True) or taken away (False).
    """
    assert ids is None or len(ids) <= CHANGED_AT_ONCE, "the caller bounds its ids"
    with transaction.atomic():
        Inbox.objects.get_or_create(user=user)
        inbox = Inbox.objects.select_for_update().get(user=user)
        rows = choose(Notification.objects.filter(user=user))
        if ids is not None:
            rows = rows.filter(pk__in=ids)
        before = inbox.unread
        unread = rows.filter(read_at=None, archived_at=None).count()
        changed = list(rows.values_list("pk", flat=True)) if ids is not None else None
        now = timezone.now()
        values: dict[str, Any] = {name: now if on else None for name, on in stamps.items()}
        # By id where they are known: what `choose` asks for is no longer so after the update.
        whole = Notification.objects.filter(user=user)
        count = (rows if changed is None else whole.filter(pk__in=changed)).update(**values)
        if count == 0:
            return before
        if changed is not None:
            unread_now = whole.filter(pk__in=changed, read_at=None, archived_at=None).count()
            inbox.unread = before - unread + unread_now
        elif "read_at" in stamps:
            inbox.unread = before - count
        inbox.save(update_fields=["unread"])
        change = {"state": state, "ids": changed if changed is not None else "all"}
        publish(user_channel(user.pk), {"type": "unread", "unread": inbox.unread, "change": change})
    return inbox.unread
