"""What people were told: each user's inbox, and what was announced to everybody."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

__all__ = ["Announcement", "AnnouncementSeen", "Inbox", "Notification", "Preference"]


class Inbox(models.Model):
    """
    A user's number of unread notifications, and the lock of all that is theirs here.

    Whoever changes a user's notifications locks this row first, in ascending user id where there
    are several, and changes the number in the same transaction. Without the row nothing is
    delivered: deleting a user deletes it first.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="inbox"
    )
    unread = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"inbox of user {self.user_id}: {self.unread} unread"


class Notification(models.Model):
    """
    Something a user was told, in their language, as it was then.

    Unread means neither read nor archived; `Inbox.unread` counts those.
    """

    TITLE_CHARACTERS = 200
    BODY_CHARACTERS = 2_000
    URL_CHARACTERS = 500

    # No database constraint: the inbox's row is locked by whoever inserts here, and it has one. A
    # check per row is a fifth of a bulk job's time. `NotificationData.erase` deletes with the user.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="notifications",
    )
    kind = models.CharField(max_length=64)
    category = models.CharField(max_length=32)
    title = models.CharField(max_length=TITLE_CHARACTERS)
    body = models.CharField(max_length=BODY_CHARACTERS, blank=True)
    # A path of this site, or a full address.
    url = models.CharField(max_length=URL_CHARACTERS, blank=True)
    # The bulk job that sent it; a plain number, because jobs are another app's and may be cleared.
    job_id = models.BigIntegerField(null=True)
    created = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # The inbox and its pages, newest first. The archive has its own, so that a page never
            # reads over what was put away, and an insert pays for none of it.
            models.Index(
                fields=["user", "id"],
                condition=models.Q(archived_at=None),
                name="notifications_user_inbox",
            ),
            models.Index(
                fields=["user", "id"],
                condition=models.Q(archived_at__isnull=False),
                name="notifications_user_archive",
            ),
            models.Index(
                fields=["user", "id"],
                condition=models.Q(read_at=None, archived_at=None),
                name="notifications_user_unread",
            ),
            # What is withdrawn is found by its address. Not what jobs sent: they pay for no index
            # that is not theirs.
            models.Index(
                fields=["url"],
                condition=models.Q(job_id=None),
                name="notifications_told_by_url",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["job_id", "user"],
                condition=models.Q(job_id__isnull=False),
                name="notifications_once_per_job",
            )
        ]

    def __str__(self) -> str:
        return f"to user {self.user_id}: {self.title[:60]}"

    @property
    def is_unread(self) -> bool:
        """Whether it counts in the badge."""
        return self.read_at is None and self.archived_at is None

    def as_data(self) -> dict[str, Any]:
        """Return what clients see of it; `message` is the one line of the plain endpoint."""
        return {
            "type": "notification",
            "id": self.pk,
            "message": self.title,
            "title": self.title,
            "body": self.body,
            "url": self.url,
            "kind": self.kind,
            "category": self.category,
            "timestamp": self.created.isoformat(),
        }


class Preference(models.Model):
    """Whether a user wants a category; without a row they do."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_index=False,
        related_name="notification_preferences",
    )
    category = models.CharField(max_length=32)
    enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "category"], name="notifications_preference_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.category} {'on' if self.enabled else 'off'} for user {self.user_id}"


class Announcement(models.Model):
    """A sentence from the staff to everybody who is connected, and to whoever comes back."""

    MESSAGE_CHARACTERS = 2_000

    message = models.TextField(max_length=MESSAGE_CHARACTERS)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # Until when it is shown to whoever connects; None for as long as the log keeps it.
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.message[:60]

    def as_data(self) -> dict[str, Any]:
        """Return what clients see of it."""
        return {
            "type": "announcement",
            "id": self.pk,
            "message": self.message,
            "timestamp": self.created_at.isoformat(),
            "expires_at": None if self.expires_at is None else self.expires_at.isoformat(),
        }


class AnnouncementSeen(models.Model):
    """A user has seen an announcement, on whatever device."""

    announcement = models.ForeignKey(Announcement, on_delete=models.CASCADE, db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "announcement"], name="notifications_announcement_seen_once"
            )
        ]

    def __str__(self) -> str:
        return f"announcement {self.announcement_id} seen by user {self.user_id}"
