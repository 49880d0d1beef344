"""
`/ws/<namespace>/<topic>/`: one channel of any namespace, such as `/ws/chat/<room_name>/`.

The namespace class decides who may hear and speak, and what becomes of a message; this shell
only carries frames. Every connection hears the announcements too.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer

from services.gateway.plain_connection import PlainConnection
from services.gateway.runtime import the_gateway
from shared.notifications.namespaces import ANNOUNCEMENTS
from shared.realtime.positions import NOWHERE, Position

__all__ = ["ChannelConsumer", "position_of", "wire_of"]


class ChannelConsumer(AsyncWebsocketConsumer):
    """An asynchronous consumer over the gateway's hub; it has no channel layer of its own."""

    channel_layer_alias = "none"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        arguments = scope["url_route"]["kwargs"]
        self.channel = f"{arguments['namespace']}:{arguments['topic']}"
        self.connection = PlainConnection(
            the_gateway(), scope["user"], arguments["namespace"], send, wire_of(scope)
        )
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Also when Daphne cancels us: nothing of the connection may stay in the hub.
            self.connection.close(1006)

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Channels would close the thread-sensitive thread's database connections at each message;
        # our queries run elsewhere and look after their own.
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        since = {self.channel: position_of(self.scope, "since")}
        since.setdefault(ANNOUNCEMENTS, position_of(self.scope, "announcements"))
        await self.connection.open(since)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        message = self.connection.read(text_data)
        if message is not None:
            await self.connection.publish(self.channel, message)

    async def disconnect(self, code: int) -> None:
        self.connection.close(code)


def wire_of(scope: Any) -> Any:
    """Return the connection's wire, which only our own server offers."""
    return scope.get("extensions", {}).get("carillon.wire", {}).get("wire")


def position_of(scope: Any, name: str) -> Position | None:
    """Return the position of a query parameter; one that cannot be read is lost, not absent."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    values = query.get(name)
    if values is None:
        return None
    return Position.parse(values[-1]) or NOWHERE
