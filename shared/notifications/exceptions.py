"""Errors of this app, below one base: NotificationsError -> InvalidAnnouncement, NotStaff."""

from __future__ import annotations

__all__ = ["InvalidAnnouncement", "NotStaff", "NotificationsError"]


class NotificationsError(Exception):
    """Base of this app's errors."""


class InvalidAnnouncement(NotificationsError):
    """A text that cannot be announced; the message is for the person who wrote it."""


class NotStaff(NotificationsError):
    """Only staff may announce."""
