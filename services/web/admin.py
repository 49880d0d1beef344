"""What the web tier adds to the administration: a bulk job for users chosen in their list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

# The app's own admin first: the action joins what it has registered.
import shared.accounts.admin  # noqa: F401
from shared.accounts.models import User
from shared.bulk.actions import do_add_recipients, do_create_job
from shared.bulk.exceptions import BulkError

if TYPE_CHECKING:
    _UserAdmin = admin.ModelAdmin[User]
else:
    _UserAdmin = admin.ModelAdmin

__all__ = ["notify_selected"]

_READ_AT_ONCE = 10_000


@admin.action(description="Notify the selected users…", permissions=["view"])
def notify_selected(
    model_admin: _UserAdmin, request: HttpRequest, queryset: QuerySet[User]
) -> HttpResponse | None:
    """Draft a bulk job for them and go to its page, where its text is written."""
    assert isinstance(request.user, User), "the administration is for users"
    ids = queryset.order_by("pk").values_list("pk", flat=True)
    try:
        with transaction.atomic():
            created = do_create_job(request.user, kind="", context={}, audience={"type": "ids"})
            do_add_recipients(request.user, created.job, ids.iterator(_READ_AT_ONCE))
    except BulkError as error:
        messages.error(request, str(error))
        return None
    return redirect("bulk-job", created.job.pk)


_user_admin = admin.site.get_model_admin(User)
_user_admin.actions = [*(_user_admin.actions or ()), notify_selected]
