"""What was announced."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

__all__ = ["Announcement"]


class Announcement(models.Model):
    """A sentence from the staff to everybody who is connected, and to whoever comes back."""

    MESSAGE_CHARACTERS = 2_000

    message = models.TextField(max_length=MESSAGE_CHARACTERS)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

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
        }
