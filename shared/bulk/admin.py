from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from shared.bulk.models import BulkJob, Chunk, Failure, SavedFilter
from shared.realtime.admin import SystemWritten

if TYPE_CHECKING:
    _BulkJobAdmin = admin.ModelAdmin[BulkJob]
    _ChunkAdmin = admin.ModelAdmin[Chunk]
    _FailureAdmin = admin.ModelAdmin[Failure]
    _SavedFilterAdmin = admin.ModelAdmin[SavedFilter]
else:
    _BulkJobAdmin = _ChunkAdmin = _FailureAdmin = _SavedFilterAdmin = admin.ModelAdmin


@admin.register(BulkJob)
class BulkJobAdmin(SystemWritten, _BulkJobAdmin):
    """Read-only: jobs are made and steered on their own page."""

    list_display = ("id", "kind", "state", "total", "created_by", "created_at", "finished_at")
    list_filter = ("state", "kind")
    list_select_related = ("created_by",)
    search_fields = ("=id", "kind", "created_by__username", "=idempotency_key")
    date_hierarchy = "created_at"
    show_full_result_count = False


@admin.register(Chunk)
class ChunkAdmin(SystemWritten, _ChunkAdmin):
    """Where to look for what was parked, and why."""

    list_display = (
        *("job_id", "number", "state", "size", "delivered", "muted", "gone", "failed"),
        *("attempts", "error", "due_at", "done_at"),
    )
    list_filter = ("state",)
    search_fields = ("=job__id", "error")
    show_full_result_count = False


@admin.register(Failure)
class FailureAdmin(SystemWritten, _FailureAdmin):
    list_display = ("job_id", "user_id", "reason")
    search_fields = ("=job__id", "=user_id", "reason")
    show_full_result_count = False


@admin.register(SavedFilter)
class SavedFilterAdmin(SystemWritten, _SavedFilterAdmin):
    """Read-only: filters are made on their own page, which checks their criteria."""

    list_display = ("name", "criteria", "created_by", "created_at")
    list_select_related = ("created_by",)
    search_fields = ("name",)
