"""What chat keeps about a person: what they said, where they are a member, what they created."""

from __future__ import annotations

from typing import Any

from shared.accounts.models import User
from shared.accounts.personal_data import PersonalData, register
from shared.chat.actions import do_erase_messages
from shared.chat.models import ChatRoom, Membership, Message

__all__ = ["ChatData"]


@register
class ChatData(PersonalData):
    """Messages without those deleted, rooms created, memberships; nothing that others said."""

    key = "chat"
    in_pieces = True

    def export(self, user: User) -> Any:
        messages = Message.objects.filter(user=user, deleted_at=None).order_by("id")
        memberships = Membership.objects.filter(user=user).order_by("id")
        rooms = ChatRoom.objects.filter(created_by=user).order_by("id")
        return {
            "messages": [
                {"id": pk, "room": room, "message": content, "timestamp": timestamp.isoformat()}
                for pk, room, content, timestamp in messages.values_list(
                    "pk", "room__name", "content", "timestamp"
                ).iterator()
            ],
            "member_of": [
                {"room": room, "since": since.isoformat()}
                for room, since in memberships.values_list("room__name", "created_at")
            ],
            "rooms_created": [
                {"room": room, "created": created.isoformat()}
                for room, created in rooms.values_list("name", "created_at")
            ],
        }

    def erase(self, user: User) -> None:
        do_erase_messages(user)
