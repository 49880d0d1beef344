from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from shared.notifications.models import Announcement, Notification, Preference
from shared.realtime.admin import SystemWritten

if TYPE_CHECKING:
    _AnnouncementAdmin = admin.ModelAdmin[Announcement]
    _NotificationAdmin = admin.ModelAdmin[Notification]
    _PreferenceAdmin = admin.ModelAdmin[Preference]
else:
    _AnnouncementAdmin = _NotificationAdmin = _PreferenceAdmin = admin.ModelAdmin


@admin.register(Announcement)
class AnnouncementAdmin(SystemWritten, _AnnouncementAdmin):
    """Read-only: an announcement is made on its own page, which publishes it."""

    list_display = ("id", "message", "created_by", "created_at", "expires_at")
    list_select_related = ("created_by",)
    search_fields = ("message", "created_by__username")
    date_hierarchy = "created_at"


@admin.register(Notification)
class NotificationAdmin(SystemWritten, _NotificationAdmin):
    """
    Read-only: what was told is not told differently later.

    Millions of rows: found by the user's name or the job, never counted or sorted as a whole.
    """

    list_display = ("id", "user", "kind", "title", "created", "read_at")
    list_select_related = ("user",)
    search_fields = ("=user__username", "=job_id")
    search_help_text = "A user's whole name, or the number of a bulk job."
    show_full_result_count = False
    list_per_page = 50


@admin.register(Preference)
class PreferenceAdmin(SystemWritten, _PreferenceAdmin):
    list_display = ("user", "category", "enabled")
    list_select_related = ("user",)
    list_filter = ("category", "enabled")
    search_fields = ("=user__username",)
    show_full_result_count = False
