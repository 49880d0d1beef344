"""A room's history as the room page and the API both give it to browsers."""

from __future__ import annotations

from typing import Any

from shared.chat.models import ChatRoom, Message
from shared.chat.queries import PAGE_MESSAGES, newest_messages, room_position

__all__ = ["MAX_MESSAGES", "PAGE_MESSAGES", "message_data", "read_history"]

MAX_MESSAGES = 200


def read_history(
    room: ChatRoom, *, before: int | None = None, limit: int = PAGE_MESSAGES
) -> dict[str, Any]:
    """
    Return a page of messages, the oldest first, and the position from which to listen.

    The position is read before the messages. Whatever is published in between is then both in
    the page and heard again, where the other order would lose it.
    """
    position = room_position(room)
    # One more than asked for tells whether there are more.
    messages = newest_messages(room, limit=limit + 1, before=before)
    return {
        "messages": [message_data(message) for message in messages[-limit:]],
        "position": None if position is None else str(position),
        "more": len(messages) > limit,
    }


def message_data(message: Message) -> dict[str, Any]:
    """Return a message as histories tell it; `client_id` is there only if its sender gave one."""
    # Not `as_data()`: a deleted message keeps its place in the history, with its author's name.
    data: dict[str, Any] = {
        "id": message.pk,
        "username": message.username,
        "message": message.content,
        "timestamp": message.timestamp.isoformat(),
        "system": message.system,
        "deleted": message.deleted_at is not None,
    }
    if message.client_id is not None:
        data["client_id"] = message.client_id
    return data
