"""Reads of this app."""

from __future__ import annotations

from django.db.models import F, OuterRef, QuerySet, Subquery

from shared.accounts.models import User
from shared.chat.access import rooms_open_to
from shared.chat.models import ChatRoom, Message
from shared.realtime import streams
from shared.realtime.positions import Position

__all__ = ["PAGE_MESSAGES", "newest_messages", "room_position", "rooms_for"]

PAGE_MESSAGES = 50


def rooms_for(user: User) -> QuerySet[ChatRoom]:
    """Return the rooms a user may enter, the one with the newest message first."""
    # Said outright, because PostgreSQL would put rooms where nothing was said yet first.
    order = F("last").desc(nulls_last=True)
    # A subquery for each room, which the index (room, id) answers; a join would read every message.
    newest = Message.objects.filter(room=OuterRef("pk")).order_by("-id").values("id")[:1]
    return rooms_open_to(user).annotate(last=Subquery(newest)).order_by(order, "name")


def newest_messages(
    room: ChatRoom, limit: int = PAGE_MESSAGES, before: int | None = None
) -> list[Message]:
    """Return the newest messages, or those before a message id, the oldest of them first."""
    messages = Message.objects.filter(room=room).select_related("user").order_by("-id")
    if before is not None:
        messages = messages.filter(id__lt=before)
    return list(messages[:limit])[::-1]


def room_position(room: ChatRoom) -> Position | None:
    """Return where the room's stream stands; read it before the messages, and none is missed."""
    head = streams.head(room.channel)
    return None if head is None else head.position
