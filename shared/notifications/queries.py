"""Reads of this app."""

from __future__ import annotations

from shared.notifications.namespaces import ANNOUNCEMENTS
from shared.realtime import streams
from shared.realtime.positions import Position

__all__ = ["announcements_position"]


def announcements_position() -> Position | None:
    """Return where announcements stand; a page that reads it first misses none after it."""
    head = streams.head(ANNOUNCEMENTS)
    return None if head is None else head.position
