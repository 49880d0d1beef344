"""
Errors of this app.

    NotificationsError
    +-- InvalidAnnouncement   a text that cannot be announced
    +-- NotStaff              only staff may announce
    +-- UnknownAnnouncement   there is none of this id
    +-- UnknownNotification   there is none, or it is somebody else's
    +-- UnknownKind           no installed app declares this kind
    +-- UnknownCategory       no kind belongs to it
    +-- TooManyRecipients     more than one transaction takes: make it a bulk job
    +-- RenderFailed          a text could not be made for one recipient
"""

from __future__ import annotations

__all__ = [
    "InvalidAnnouncement",
    "NotStaff",
    "NotificationsError",
    "RenderFailed",
    "TooManyRecipients",
    "UnknownAnnouncement",
    "UnknownCategory",
    "UnknownKind",
    "UnknownNotification",
]


class NotificationsError(Exception):
    """Base of this app's errors; `str()` is a sentence for the person."""


class InvalidAnnouncement(NotificationsError):
    """A text that cannot be announced; the message is for the person who wrote it."""


class NotStaff(NotificationsError):
    def __str__(self) -> str:
        return "Only staff may announce."


class UnknownAnnouncement(NotificationsError):
    def __str__(self) -> str:
        return "There is no such announcement."


class UnknownNotification(NotificationsError):
    def __str__(self) -> str:
        return "There is no such notification in your inbox."


class UnknownKind(NotificationsError):
    """
    No installed app declares this kind.

    Attributes:
        key: what was asked for.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"There is no kind of notification {self.key!r}."


class UnknownCategory(NotificationsError):
    """
    No kind belongs to this category.

    Attributes:
        key: what was asked for.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"There is no category of notifications {self.key!r}."


class TooManyRecipients(NotificationsError):
    """
    More than one transaction takes.

    Attributes:
        maximum: how many are taken.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum

    def __str__(self) -> str:
        return f"notify takes at most {self.maximum:,} recipients: make it a bulk job."


class RenderFailed(NotificationsError):
    """A text could not be made for one recipient; the message says why, for staff."""
