"""`announcements:all`, which everybody who is signed in may hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.notifications.models import Announcement
from shared.realtime.namespaces import Namespace, register

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["ANNOUNCEMENTS", "AnnouncementNamespace"]

ANNOUNCEMENTS = "announcements:all"


@register
class AnnouncementNamespace(Namespace):
    """Announcements are thin publications: the log refers to the row."""

    name = "announcements"
    history_size = 1_000
    history_ttl = timedelta(days=30)
    standing = (ANNOUNCEMENTS,)

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        return user.is_active and channel == ANNOUNCEMENTS

    def load(self, refs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        return {row.pk: row.as_data() for row in Announcement.objects.filter(pk__in=refs)}
