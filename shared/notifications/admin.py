from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from shared.notifications.models import Announcement

if TYPE_CHECKING:
    _AnnouncementAdmin = admin.ModelAdmin[Announcement]
else:
    _AnnouncementAdmin = admin.ModelAdmin


@admin.register(Announcement)
class AnnouncementAdmin(_AnnouncementAdmin):
    """Read-only: an announcement is made on its own page, which publishes it."""

    list_display = ("id", "message", "created_by", "created_at")
    list_select_related = ("created_by",)
    search_fields = ("message", "created_by__username")
    date_hierarchy = "created_at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
