"""Parts of addresses."""

from __future__ import annotations

from shared.chat.models import ROOM_NAME

__all__ = ["RoomNameConverter"]


class RoomNameConverter:
    """A room's name; any other text in its place is an address that does not exist."""

    regex = ROOM_NAME

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
