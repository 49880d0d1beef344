"""Kinds of the team's own: the same for everybody, personal, and one that fails for some."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from shared.notifications.exceptions import RenderFailed
from shared.notifications.kinds import Category, Kind, Text, register_kind

__all__ = ["PollClosed", "Salutation", "Touchy"]

POLLS = Category("polls", "Polls")


@register_kind
class PollClosed(Kind):
    """Speaks the recipient's language with Django's own translations and formats."""

    key = "polls.closed"
    category = POLLS
    title = _("yes,no,maybe")
    body = '{% if closed %}{{ closed|date:"DATETIME_FORMAT" }}{% endif %}: {{ poll }}'
    url = "/polls/{{ poll_id }}/"
    offered = True
    fields = {"poll": "Poll", "poll_id": "Number"}
    required = frozenset({"poll"})


@register_kind
class Salutation(Kind):
    """Calls the recipient by name."""

    key = "polls.salutation"
    category = Category("salutations", "Salutations")
    title = "Hello {{ recipient.username }}"


@register_kind
class Touchy(Kind):
    """Cannot be said to users whose name begins with x."""

    key = "polls.touchy"
    category = POLLS
    title = "Dear {{ recipient.username }}"

    @classmethod
    def render(cls, recipient: Any, language: str, zone: str, context: Any) -> Text:
        if recipient.username.startswith("x"):
            raise RenderFailed(f"{recipient.username} is not dear.")
        return super().render(recipient, language, zone, context)
