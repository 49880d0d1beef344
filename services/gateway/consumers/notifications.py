"""
`/ws/notifications/`: what is for this user wherever they are, and the announcements.

`?since=<position>` catches up with `user:<own id>`, `?announcements=<position>` with the others.
"""

from __future__ import annotations

from services.gateway.arrivals import Since
from services.gateway.consumers.plain import PlainConsumer, position_of
from shared.notifications.namespaces import ANNOUNCEMENTS, UserNamespace, user_channel
from shared.realtime.exceptions import ErrorCode, Refused

__all__ = ["NotificationConsumer"]


class NotificationConsumer(PlainConsumer):
    """Only hears."""

    def kind(self) -> str:
        return UserNamespace.name

    def wanted(self) -> Since:
        # The channel follows from the session: there is nothing in the query to forge.
        return {
            user_channel(self.scope["user"].pk): position_of(self.scope, "since"),
            ANNOUNCEMENTS: position_of(self.scope, "announcements"),
        }

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.connection.read(text_data) is not None:
            self.connection.refuse(Refused(ErrorCode.BAD_REQUEST, "Nothing is expected here."))
