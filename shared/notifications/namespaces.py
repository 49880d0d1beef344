"""`announcements:all` for everybody who is signed in, `user:<id>` for one user alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import F

from shared.notifications.models import Announcement, Notification
from shared.notifications.staff_kinds import announcement_data
from shared.realtime.namespaces import Namespace, register

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["ANNOUNCEMENTS", "AnnouncementNamespace", "UserNamespace", "user_channel"]

ANNOUNCEMENTS = "announcements:all"


def user_channel(user_id: int) -> str:
    """Return the channel that carries what is for one user: notifications, and their states."""
    return f"user:{user_id}"


@register
class AnnouncementNamespace(Namespace):
    """Announcements are thin publications: the log refers to the row."""

    name = "announcements"
    history_size = 1_000
    history_ttl = timedelta(days=30)
    standing = (ANNOUNCEMENTS,)

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        return user.is_active and channel == ANNOUNCEMENTS

    def server_side_channels(self, user: AbstractUser) -> Sequence[str]:
        return (ANNOUNCEMENTS,)

    def load(self, refs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        return {row.pk: announcement_data(row) for row in Announcement.objects.filter(pk__in=refs)}


@register
class UserNamespace(Namespace):
    """Notifications are thin publications; changes of their states are data."""

    name = "user"
    history_size = 1_000
    history_ttl = timedelta(days=90)
    # Whoever is here at all is in their own channel.
    presence = True

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        return user.is_active and channel == user_channel(user.pk)

    def server_side_channels(self, user: AbstractUser) -> Sequence[str]:
        return (user_channel(user.pk),)

    def load(self, refs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        # The count as it is now, not as it was: a reader who catches up wants to end there.
        rows = Notification.objects.filter(pk__in=refs).annotate(unread=F("user__inbox__unread"))
        return {row.pk: {**row.as_data(), "unread": row.unread} for row in rows}
