"""Rooms, their members, their messages."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from shared.accounts.models import User
from shared.accounts.names import SYSTEM
from shared.chat.typing import typing_channel

__all__ = ["ROOM_NAME", "ChatRoom", "Membership", "Message", "chat_channel"]

ROOM_NAME = r"[A-Za-z0-9_-]{1,100}"
_CLIENT_ID_CHARACTERS = 64


def chat_channel(name: str) -> str:
    """Return the channel that carries the messages of the room of this name."""
    return f"chat:{name}"


class ChatRoom(models.Model):
    """A place to talk: public to everybody who is signed in, or for its members only."""

    name = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(rf"\A{ROOM_NAME}\Z", "Use letters, digits, - and _ only.")],
    )
    members_only = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="chat_rooms"
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def channel(self) -> str:
        """The channel that carries this room's messages."""
        return chat_channel(self.name)

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels that are this room's: whoever loses one loses all."""
        return self.channel, typing_channel(self.name)

    def online(self) -> models.QuerySet[User]:
        """Return the users who are in the room at this moment."""
        return User.objects.online(self.channel)


class Membership(models.Model):
    """A user's right to be in a members-only room."""

    room = models.ForeignKey(ChatRoom, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["room", "user"], name="chat_membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.room}"


class Message(models.Model):
    """
    What somebody said. A deleted message keeps its row and its place, and loses its content.

    `offset` is its publication's place in the room's stream; `client_id` is the sender's own
    name for it, which makes sending it again harmless.
    """

    CONTENT_CHARACTERS = 8_000
    CLIENT_ID_CHARACTERS = _CLIENT_ID_CHARACTERS

    room = models.ForeignKey(ChatRoom, on_delete=models.CASCADE, db_index=False)
    # None is the server itself.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, db_index=False
    )
    system = models.BooleanField(default=False)
    content = models.TextField(max_length=CONTENT_CHARACTERS)
    timestamp = models.DateTimeField(default=timezone.now)
    client_id = models.CharField(  # noqa: DJ001 - null: the unique constraint must not see it
        max_length=_CLIENT_ID_CHARACTERS, null=True
    )
    offset = models.BigIntegerField(default=0)
    deleted_at = models.DateTimeField(null=True)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["room", "id"], name="chat_message_room_id")]
        constraints = [
            # Also the index behind "messages of a user".
            models.UniqueConstraint(fields=["user", "client_id"], name="chat_message_client_id")
        ]

    def __str__(self) -> str:
        return f"{self.username}: {self.content[:60]}"

    @property
    def username(self) -> str:
        """Who said it, as shown."""
        if self.system:
            return SYSTEM
        return self.user.username if self.user is not None else "deleted user"

    def as_data(self) -> dict[str, Any]:
        """Return what clients see of it; for a deleted message only that it is gone."""
        if self.deleted_at is not None:
            return {"type": "deleted", "id": self.pk}
        data: dict[str, Any] = {
            "type": "chat",
            "id": self.pk,
            "message": self.content,
            "username": self.username,
            "timestamp": self.timestamp.isoformat(),
        }
        if self.client_id is not None:
            data["client_id"] = self.client_id
        if self.system:
            data["system"] = True
        return data
