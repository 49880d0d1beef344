"""The inbox: what a user was told, and what they do with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from services.web.context import page_data
from services.web.pages.keyset import before_of, cut, id_of
from services.web.requests import SignedInRequest, signed_in
from shared.accounts.models import User
from shared.notifications.actions import (
    do_archive,
    do_mark_all_read,
    do_mark_read,
    do_mark_unread,
    do_unarchive,
)
from shared.notifications.exceptions import UnknownNotification
from shared.notifications.kinds import categories, kinds
from shared.notifications.models import Notification
from shared.notifications.queries import InboxView, inbox_page, notification_of
from shared.notifications.staff_kinds import Announced

__all__ = ["inbox", "notification"]

_PAGE_NOTIFICATIONS = 20
_ALL = "all"
_CHANGES: Mapping[str, Callable[[User, Sequence[int]], int]] = {
    "read": do_mark_read,
    "unread": do_mark_unread,
    "archive": do_archive,
    "unarchive": do_unarchive,
}
_EMPTY = {
    InboxView.ALL: "Posts of people you follow, comments and mentions appear here.",
    InboxView.UNREAD: "You have read everything.",
    InboxView.ARCHIVED: "What you archive is kept here.",
}


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def inbox(request: SignedInRequest) -> HttpResponse:
    """
    A page of notifications, by `?view=`, `?category=` and `?before=`.

    A form changes one: `read`, `unread`, `archive` or `unarchive` with its id; `read=all` all.
    """
    if request.method == "POST":
        _change(request.user, request.POST)
        return redirect(request.get_full_path())
    # The page goes on live from there: before the rows.
    live = page_data(request)["page_data"]()
    view, category, before = _filter(request)
    labels = {each.key: str(each.label) for each in categories()}
    listed = {kind.category.key for kind in kinds() if kind is not Announced}
    rows = inbox_page(
        request.user, view, category=category, before=before, limit=_PAGE_NOTIFICATIONS + 1
    )
    shown, more = cut(rows, _PAGE_NOTIFICATIONS)
    context: dict[str, Any] = {
        "page_data": live,
        "view": view.value,
        "views": [
            (each.value, each.name.capitalize(), _query(each, category)) for each in InboxView
        ],
        "category": category,
        # Announcements alone never stand in an inbox.
        "categories": [
            (key, label, _query(view, key)) for key, label in labels.items() if key in listed
        ],
        "any_category": _query(view, None),
        "empty": _EMPTY[view],
        "items": [(row, labels.get(row.category, row.category)) for row in shown],
        "blank": Notification(pk=0, created=timezone.now()),
        "first": _query(view, category),
        "newest": before is None,
        "older": _query(view, category, shown[-1].pk) if more else None,
        "inbox_data": {
            "view": view.value,
            "category": category,
            "before": before,
            "limit": _PAGE_NOTIFICATIONS,
            "unseen": any(row.seen_at is None for row in shown),
            "categories": labels,
            "notifications": [_as_json(row) for row in shown],
        },
    }
    return render(request, "web/inbox.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def notification(request: SignedInRequest, notification_id: int) -> HttpResponse:
    """One notification; a form sent here marks it read and goes where it leads."""
    try:
        found = notification_of(request.user, notification_id)
    except UnknownNotification as error:
        raise Http404(str(error)) from error
    same_site = url_has_allowed_host_and_scheme(
        found.url, {request.get_host()}, require_https=request.is_secure()
    )
    if request.method == "POST":
        do_mark_read(request.user, [found.pk])
        # Browsers let no form lead to another site, and a reader should see where they are sent.
        return redirect(found.url if same_site else reverse("notification", args=[found.pk]))
    labels = {each.key: each.label for each in categories()}
    context = {
        "item": found,
        "label": labels.get(found.category, found.category),
        "same_site": same_site,
        "elsewhere": None if same_site else _site(found.url),
    }
    return render(request, "web/notification.html", context)


def _change(user: User, form: QueryDict) -> None:
    for name, change in _CHANGES.items():
        value = form.get(name, "")
        if name == "read" and value == _ALL:
            do_mark_all_read(user)
            return
        notification_id = id_of(value)
        if notification_id is not None:
            change(user, [notification_id])
            return
    raise BadRequest("Say which notification, and what becomes of it.")


def _filter(request: SignedInRequest) -> tuple[InboxView, str | None, int | None]:
    """Return what is asked for; what cannot be asked for is left out."""
    wanted = request.GET.get("view")
    view = next((each for each in InboxView if each == wanted), InboxView.ALL)
    known = {each.key for each in categories()}
    category = request.GET.get("category")
    return view, category if category in known else None, before_of(request)


def _query(view: InboxView, category: str | None, before: int | None = None) -> str:
    parts = {"view": view.value, "category": category, "before": before}
    return "?" + urlencode({name: value for name, value in parts.items() if value is not None})


def _site(url: str) -> str | None:
    """Return the name of another site, or None for what is no address to follow."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.hostname if parts.scheme in {"http", "https"} else None


def _as_json(row: Notification) -> dict[str, Any]:
    read, archived = row.read_at is not None, row.archived_at is not None
    return {**row.as_data(), "read": read, "archived": archived}
