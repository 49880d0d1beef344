from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from shared.realtime.models import Deployment, Stream

__all__ = ["SystemWritten"]

_ROWS_COUNTED = 10_000

if TYPE_CHECKING:
    _DeploymentAdmin = admin.ModelAdmin[Deployment]
    _StreamAdmin = admin.ModelAdmin[Stream]
    _Paginator = Paginator[Any]
else:
    _DeploymentAdmin = _StreamAdmin = admin.ModelAdmin
    _Paginator = Paginator


class BoundedPaginator(_Paginator):
    """
    Pages of the first ten thousand rows, and not of those behind them: search for these.

    To count ten million rows takes longer than to show some of them.
    """

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet), "an admin's list is one"
        return self.object_list[:_ROWS_COUNTED].count()


class SystemWritten:
    """For rows that only the system writes; people may look. A mixin before ModelAdmin."""

    paginator: ClassVar[type[Paginator[Any]]] = BoundedPaginator
    show_full_result_count: ClassVar[bool] = False

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


@admin.register(Deployment)
class DeploymentAdmin(SystemWritten, _DeploymentAdmin):
    list_display = ("incarnation", "timeline")
