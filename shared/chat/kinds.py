"""What chat tells people who are not looking: that somebody mentioned them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from shared.notifications.kinds import Category, Kind, register_kind

__all__ = ["MENTIONS", "Mention"]

MENTIONS = Category("mentions", gettext_lazy("Mentions in rooms"))


@register_kind
class Mention(Kind):
    """`author` and `room` are names, `text` is a part of the message, `url` where it stands."""

    key = "chat.mention"
    category = MENTIONS
    title = gettext_lazy("{{ author }} mentioned you in {{ room }}")
    body = "{{ text }}"
    url = "{{ url }}"
