from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from shared.realtime.models import Deployment, Stream

__all__ = ["SystemWritten"]

if TYPE_CHECKING:
    _DeploymentAdmin = admin.ModelAdmin[Deployment]
    _StreamAdmin = admin.ModelAdmin[Stream]
else:
    _DeploymentAdmin = _StreamAdmin = admin.ModelAdmin


class SystemWritten:
    """For rows that only the system writes; people may look. A mixin before ModelAdmin."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Stream)
class StreamAdmin(SystemWritten, _StreamAdmin):
    list_display = ("channel", "head", "epoch", "created")
    search_fields = ("channel__startswith",)
    show_full_result_count = False


@admin.register(Deployment)
class DeploymentAdmin(SystemWritten, _DeploymentAdmin):
    list_display = ("incarnation", "timeline")
