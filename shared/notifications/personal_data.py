"""What of this app is a user's own."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from shared.accounts.models import User
from shared.accounts.personal_data import PersonalData, register
from shared.notifications.models import AnnouncementSeen, Inbox, Notification, Preference
from shared.notifications.namespaces import user_channel
from shared.realtime import streams

__all__ = ["NotificationData"]

_EXPORTED = ("kind", "category", "title", "body", "url", "created", "read_at", "archived_at")


@register
class NotificationData(PersonalData):
    """The inbox, the preferences, and the user's own channel."""

    key = "notifications"

    def export(self, user: User) -> Any:
        """Return notifications, newest first and the archive after them, and preferences."""
        preferences = Preference.objects.filter(user=user).values("category", "enabled")
        rows = [row for part in _parts(user) for row in part.order_by("-id").values(*_EXPORTED)]
        return {"notifications": rows, "preferences": list(preferences)}

    @transaction.atomic
    def erase(self, user: User) -> None:
        """
        Delete all of it, with what the log keeps.

        A delivery that runs at the same time has the inbox's row, or is making it, and is waited
        for; a later one finds neither an inbox nor an active user to make one for.
        """
        # Made where there is none: a delivery's new row, not committed yet, is visible to no query,
        # and yet to the unique index.
        Inbox.objects.bulk_create([Inbox(user=user)], ignore_conflicts=True)
        # Not one DELETE: only the statement after the lock sees what was committed meanwhile.
        list(Inbox.objects.select_for_update().filter(user=user))
        for part in _parts(user):
            part.delete()
        Preference.objects.filter(user=user).delete()
        AnnouncementSeen.objects.filter(user=user).delete()
        streams.clear(user_channel(user.pk))
        Inbox.objects.filter(user=user).delete()


def _parts(user: User) -> tuple[QuerySet[Notification], QuerySet[Notification]]:
    """Return the inbox and the archive, each by its index; there is none over both."""
    rows = Notification.objects.filter(user=user)
    return rows.filter(archived_at=None), rows.exclude(archived_at=None)
