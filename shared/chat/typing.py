"""Who is typing in a room: told to whoever is there, kept nowhere, never more than a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["TYPING", "refuse_typing", "typing_channel", "typing_data"]

# The namespace of those channels.
TYPING = "typing"


def typing_channel(room_name: str) -> str:
    """Return the channel in which it is told who is typing in a room."""
    return f"{TYPING}:{room_name}"


def refuse_typing(data: Mapping[str, Any]) -> str:
    """
    Return why a client's publication is not taken; "" if it is.

    There is nothing to say but that one is typing, and who it is the server knows.
    """
    return "Send {}: who is typing is not for you to say, and nothing else is told." if data else ""


def typing_data(user: AbstractUser) -> dict[str, Any]:
    """Return what the others in a room are told."""
    return {"type": "typing", "username": user.get_username()}
