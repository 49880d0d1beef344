"""Reads of this app."""

from __future__ import annotations

from django.utils import timezone

from shared.notifications.models import Announcement
from shared.notifications.namespaces import ANNOUNCEMENTS, AnnouncementNamespace
from shared.realtime import streams
from shared.realtime.positions import Position

__all__ = ["announcements_position", "newest_announcements"]

_NEWEST = 20


def announcements_position() -> Position | None:
    """Return where announcements stand; a page that reads it first misses none after it."""
    head = streams.head(ANNOUNCEMENTS)
    return None if head is None else head.position


def newest_announcements() -> list[Announcement]:
    """Return the newest announcements that a connection could still tell, the oldest first."""
    since = timezone.now() - AnnouncementNamespace.history_ttl
    newest = Announcement.objects.filter(created_at__gte=since).order_by("-id")
    return list(newest[:_NEWEST])[::-1]
