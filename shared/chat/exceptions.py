"""
Errors of this app.

    ChatError
    +-- UnknownRoom        there is none, or not for this user; which of both is not told
    +-- InvalidRoomName    not 1-100 of [A-Za-z0-9_-]
    +-- RoomNameTaken
    +-- NotAllowed         the user is in the room but may not do this
    +-- UnknownMember      no such user to add or remove
    +-- CreatorStays       who created a room stays its member
    +-- UnknownMessage     there is none, or not for this user
    +-- InvalidContent     a message that cannot be taken
    +-- ClientIdConflict   the client's id names another message already
"""

from __future__ import annotations

__all__ = [
    "ChatError",
    "ClientIdConflict",
    "CreatorStays",
    "InvalidContent",
    "InvalidRoomName",
    "NotAllowed",
    "RoomNameTaken",
    "UnknownMember",
    "UnknownMessage",
    "UnknownRoom",
]


class ChatError(Exception):
    """Base of this app's errors; `str()` is a sentence for the person."""

    sentence = "This did not work."

    def __str__(self) -> str:
        return self.sentence


class UnknownRoom(ChatError):
    sentence = "There is no such room, or it is not open to you."


class InvalidRoomName(ChatError):
    sentence = "A room's name has 1 to 100 letters, digits, - or _."


class RoomNameTaken(ChatError):
    sentence = "A room of this name exists already: choose another name."


class NotAllowed(ChatError):
    sentence = "You may not do this here."


class UnknownMember(ChatError):
    sentence = "There is no user of this name."


class CreatorStays(ChatError):
    sentence = "Who created this room stays its member: choose somebody else."


class UnknownMessage(ChatError):
    sentence = "There is no such message."


class ClientIdConflict(ChatError):
    sentence = "This client_id was used for another message: send with a fresh one."


class InvalidContent(ChatError):
    """
    A message that cannot be taken.

    Attributes:
        field: the key at fault, as clients name it.
        sentence: what to change.
    """

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        self.sentence = sentence
