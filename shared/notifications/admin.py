from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from shared.notifications.models import Announcement
from shared.realtime.admin import SystemWritten

if TYPE_CHECKING:
    _AnnouncementAdmin = admin.ModelAdmin[Announcement]
else:
    _AnnouncementAdmin = admin.ModelAdmin


@admin.register(Announcement)
class AnnouncementAdmin(SystemWritten, _AnnouncementAdmin):
    """Read-only: an announcement is made on its own page, which publishes it."""

    list_display = ("id", "message", "created_by", "created_at")
    list_select_related = ("created_by",)
    search_fields = ("message", "created_by__username")
    date_hierarchy = "created_at"
