"""What staff tell: announcements to everybody, and messages of a bulk job."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from shared.notifications.kinds import Category, Kind, register_kind
from shared.notifications.models import Announcement

__all__ = ["Announced", "StaffMessage", "announcement_data"]


@register_kind
class Announced(Kind):
    """
    An announcement.

    It is one row and one publication for everybody, not one for each: its text is rendered once,
    in the deployment's own language.
    """

    key = "notifications.announcement"
    category = Category("announcements", _("Announcements"))
    title = _("Announcement")
    body = "{{ message }}"


@register_kind
class StaffMessage(Kind):
    """What staff write themselves, to many."""

    key = "notifications.message"
    category = Category("messages", _("Messages from the team"))
    label = _("A message from the team")
    title = "{{ title }}"
    body = "{{ body }}"
    url = "{{ url }}"
    offered = True
    fields = {"title": _("Title"), "body": _("Text"), "url": _("Address")}
    required = frozenset({"title"})


def announcement_data(announcement: Announcement) -> dict[str, Any]:
    """Return what clients see of an announcement: its row, and how its kind calls it."""
    context = {"message": announcement.message}
    text = Announced.render(None, settings.LANGUAGE_CODE, settings.TIME_ZONE, context)
    return {
        **announcement.as_data(),
        "title": text.title,
        "kind": Announced.key,
        "category": Announced.category.key,
    }
