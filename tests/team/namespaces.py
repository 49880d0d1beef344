"""`poll:<topic>`: everybody who is signed in hears the votes and votes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractUser

from shared.realtime.exceptions import ErrorCode, Refused
from shared.realtime.namespaces import Namespace, Outcome, register
from shared.realtime.publish import publish
from tests.team.actions import do_vote

__all__ = ["PollNamespace", "TickNamespace"]


@register
class PollNamespace(Namespace):
    name = "poll"
    history_size = 100

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        return user.is_active

    def can_publish(self, user: AbstractUser, channel: str) -> bool:
        return user.is_active

    def on_publish(self, user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Outcome:
        choice = data.get("choice")
        if choice not in {"yes", "no"}:
            raise Refused(ErrorCode.CONTENT_REFUSED, "Vote yes or no.", field="choice")
        return Outcome(do_vote(user, channel.partition(":")[2], choice))


@register
class TickNamespace(Namespace):
    """`tick:<topic>`: what a client sends goes to whoever is connected, and is kept nowhere."""

    name = "tick"

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        return user.is_active

    def can_publish(self, user: AbstractUser, channel: str) -> bool:
        return user.is_active

    def on_publish(self, user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Outcome:
        return Outcome(publish(channel, data))
