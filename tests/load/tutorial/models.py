"""What a user was told."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

__all__ = ["Notification"]


class Notification(models.Model):
    """One message to one user."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    message = models.TextField()
    is_read = models.BooleanField(default=False)
    timestamp = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "tutorial"

    def __str__(self) -> str:
        return f"to user {self.user_id}: {self.message[:60]}"
