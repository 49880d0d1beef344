"""The demo's room."""

from __future__ import annotations

from collections.abc import Mapping

from shared.accounts.demo import STAFF
from shared.accounts.models import User
from shared.chat.actions import do_create_room
from shared.chat.models import ChatRoom

__all__ = ["load_demo"]


def load_demo(users: Mapping[str, User]) -> None:
    """Make the room lobby, unless it is there."""
    if not ChatRoom.objects.filter(name="lobby").exists():
        do_create_room(users[STAFF], "lobby")
