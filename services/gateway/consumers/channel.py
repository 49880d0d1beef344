"""
`/ws/<namespace>/<topic>/`: one channel of any namespace, such as `/ws/chat/<room_name>/`.

The namespace class decides who may hear and speak, and what becomes of a message; this shell
only carries frames. Every connection hears the announcements too.
"""

from __future__ import annotations

from services.gateway.arrivals import Since
from services.gateway.consumers.plain import PlainConsumer, position_of
from shared.notifications.namespaces import ANNOUNCEMENTS

__all__ = ["ChannelConsumer"]


class ChannelConsumer(PlainConsumer):
    """Hears the channel of its path, and publishes there."""

    def kind(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["namespace"])

    def channel(self) -> str:
        return f"{self.kind()}:{self.scope['url_route']['kwargs']['topic']}"

    def wanted(self) -> Since:
        since = {self.channel(): position_of(self.scope, "since")}
        since.setdefault(ANNOUNCEMENTS, position_of(self.scope, "announcements"))
        return since

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        message = self.connection.read(text_data)
        if message is not None:
            await self.connection.publish(self.channel(), message)
