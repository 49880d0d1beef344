"""Parts of addresses."""

from __future__ import annotations

from shared.chat.models import ROOM_NAME

__all__ = ["RoomNameConverter", "UsernameConverter"]


class RoomNameConverter:
    """A room's name; any other text in its place is an address that does not exist."""

    regex = ROOM_NAME

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class UsernameConverter:
    """A user's name, in the characters that `User.username` takes."""

    regex = r"[A-Za-z0-9_.@+-]{1,150}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
