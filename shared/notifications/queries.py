"""Reads of this app."""

from __future__ import annotations

import enum
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from shared.accounts.models import User
from shared.notifications.exceptions import UnknownNotification
from shared.notifications.kinds import Category, categories
from shared.notifications.models import (
    Announcement,
    AnnouncementSeen,
    Inbox,
    Notification,
    Preference,
)
from shared.notifications.namespaces import ANNOUNCEMENTS, AnnouncementNamespace, user_channel
from shared.notifications.staff_kinds import Announced
from shared.realtime import streams
from shared.realtime.positions import NOWHERE, Position

__all__ = [
    "CategoryPreference",
    "InboxView",
    "announcements_position",
    "inbox_page",
    "inbox_position",
    "newest_announcements",
    "notification_of",
    "preferences_of",
    "unread_count",
    "unseen_announcements",
]

_NEWEST = 20


class InboxView(enum.StrEnum):
    """Which part of an inbox is looked at."""

    ALL = "all"
    UNREAD = "unread"
    ARCHIVED = "archived"


class CategoryPreference(NamedTuple):
    """Whether a user wants a category."""

    category: Category
    enabled: bool


def inbox_page(
    user: User,
    view: InboxView = InboxView.ALL,
    *,
    category: str | None = None,
    before: int | None = None,
    limit: int = 20,
) -> list[Notification]:
    """
    Return a page of a user's notifications, newest first.

    Args:
        user: whose.
        view: all that is not archived, the unread ones, or the archived ones.
        category: only those of this category.
        before: a notification's id, exclusive: the keyset's next page.
        limit: at most so many.
    """
    # A subquery hides from PostgreSQL whose rows they are. Of a user with very many it knows that,
    # and would walk the primary key until it had met enough of them: past everything newer.
    owner = User.objects.filter(pk=user.pk).values("pk")[:1]
    rows = Notification.objects.filter(user=owner).order_by("-id")
    match view:
        case InboxView.ALL:
            rows = rows.filter(archived_at=None)
        case InboxView.UNREAD:
            rows = rows.filter(read_at=None, archived_at=None)
        case InboxView.ARCHIVED:
            rows = rows.exclude(archived_at=None)
    if category is not None:
        rows = rows.filter(category=category)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return list(rows[:limit])


def notification_of(user: User, notification_id: int) -> Notification:
    """
    Return one notification of a user.

    Raises:
        UnknownNotification: there is none, or it is somebody else's.
    """
    found = Notification.objects.filter(user=user, pk=notification_id).first()
    if found is None:
        raise UnknownNotification
    return found


def unread_count(user: User) -> int:
    """Return how many notifications the user has neither read nor archived."""
    return Inbox.objects.filter(user=user).values_list("unread", flat=True).first() or 0


def inbox_position(user: User) -> Position:
    """
    Return where the user's channel stands; read it before the inbox, and none is missed.

    Before anything was ever published it is `NOWHERE`: pages read it, and reading makes no row.
    """
    head = streams.head(user_channel(user.pk))
    return NOWHERE if head is None else head.position


def preferences_of(user: User) -> list[CategoryPreference]:
    """Return whether the user wants each category; what they never touched they want."""
    stored = dict(Preference.objects.filter(user=user).values_list("category", "enabled"))
    return [CategoryPreference(each, stored.get(each.key, True)) for each in categories()]


def announcements_position() -> Position | None:
    """Return where announcements stand; a page that reads it first misses none after it."""
    head = streams.head(ANNOUNCEMENTS)
    return None if head is None else head.position


def newest_announcements() -> list[Announcement]:
    """Return the newest announcements that are not over, the oldest of them first."""
    now = timezone.now()
    newest = Announcement.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now),
        created_at__gte=now - AnnouncementNamespace.history_ttl,
    ).order_by("-id")
    return list(newest[:_NEWEST])[::-1]


def unseen_announcements(user: User) -> list[Announcement]:
    """
    Return the announcements that are not over and that the user has not seen, oldest first.

    None of them where the user has switched their category off.
    """
    off = Preference.objects.filter(user=user, category=Announced.category.key, enabled=False)
    now = timezone.now()
    seen = AnnouncementSeen.objects.filter(announcement=OuterRef("pk"), user=user)
    rows = Announcement.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now),
        ~Exists(seen),
        ~Exists(off),
        created_at__gte=max(now - AnnouncementNamespace.history_ttl, user.date_joined),
    ).order_by("-id")
    return list(rows[:_NEWEST])[::-1]
