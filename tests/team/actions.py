"""Writes of this app."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser

from shared.broker.wire import Published
from shared.realtime.publish import publish

__all__ = ["do_vote"]


def do_vote(user: AbstractUser, topic: str, choice: str) -> Published:
    """Publish a vote; the log is the ballot box."""
    return publish(f"poll:{topic}", {"type": "vote", "choice": choice, "by": user.get_username()})
