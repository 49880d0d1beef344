"""Erasing what somebody said: rows, log and quotes, by the thousand. Nothing here publishes."""

from __future__ import annotations

from collections import defaultdict

from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from shared.accounts.models import User
from shared.chat.mentions import forget_quotes
from shared.chat.models import ChatRoom, Message
from shared.realtime.redaction import redact_many

__all__ = ["erase_some"]


def erase_some(user: User, limit: int, *, newest: bool) -> list[Message]:
    """
    Erase up to `limit` messages of a user; the caller is inside a transaction.

    A message keeps its row and its place, and loses its content and whose it was, in the table,
    in the log and in the notifications that quote it.

    Args:
        user: whose messages.
        limit: how many at most.
        newest: take the newest ones; otherwise any, which is quicker.

    Returns:
        What was erased, as it is now: as deleted. Empty when nothing is left.
    """
    messages = Message.objects.select_for_update(of=("self",)).select_related("room")
    found = list(messages.filter(user=user).order_by(*(["-id"] if newest else []))[:limit])
    by_room: defaultdict[ChatRoom, list[Message]] = defaultdict(list)
    for message in found:
        by_room[message.room].append(message)
    for room, said in by_room.items():
        forget_quotes(room, said, author_too=True)
    now = timezone.now()
    Message.objects.filter(pk__in=[message.pk for message in found]).update(
        content="", client_id=None, user=None, deleted_at=Coalesce("deleted_at", Value(now))
    )
    for message in found:
        message.content, message.client_id, message.user = "", None, None
        message.deleted_at = message.deleted_at or now
    for room, said in by_room.items():
        redact_many(room.channel, {message.offset: message.as_data() for message in said})
    return found
