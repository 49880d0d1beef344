from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from shared.accounts.models import User
from shared.notifications.models import Announcement, Notification, Preference
from shared.realtime.admin import SystemWritten

if TYPE_CHECKING:
    _AnnouncementAdmin = admin.ModelAdmin[Announcement]
    _NotificationAdmin = admin.ModelAdmin[Notification]
    _PreferenceAdmin = admin.ModelAdmin[Preference]
else:
    _AnnouncementAdmin = _NotificationAdmin = _PreferenceAdmin = admin.ModelAdmin


_ID_DIGITS = 18


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

    Millions of rows: found by the user's name or the job, never counted or searched as a whole.
    """

    list_display = ("id", "user", "kind", "title", "created", "read_at")
    list_select_related = ("user",)
    # Not what the admin makes of them: that would compare each row, in capitals.
    search_fields = ("user", "job_id")
    search_help_text = "A user's whole name, or the number of a bulk job."
    list_per_page = 50

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notification], search_term: str
    ) -> tuple[QuerySet[Notification], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        user = User.objects.filter(username=term).first() if term.isprintable() else None
        if user is not None:
            # Two indexes, the inbox's and the archive's; there is none over both.
            return queryset.filter(
                Q(archived_at=None) | Q(archived_at__isnull=False), user=user
            ), False
        if term.isascii() and term.isdigit() and len(term) <= _ID_DIGITS:
            return queryset.filter(job_id=int(term)), False
        return queryset.none(), False


@admin.register(Preference)
class PreferenceAdmin(SystemWritten, _PreferenceAdmin):
    list_display = ("user", "category", "enabled")
    list_select_related = ("user",)
    list_filter = ("category", "enabled")
    search_fields = ("=user__username",)
