"""
`/ws/notifications/`: what is for this user wherever they are, and the announcements.

`?since=<position>` catches up with `user:<own id>`, `?announcements=<position>` with the others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from channels.consumer import get_handler_name
from channels.generic.websocket import WebsocketConsumer

from services.gateway.consumers.channel import position_of, wire_of
from services.gateway.plain_connection import PlainConnection
from services.gateway.runtime import the_gateway
from shared.notifications.namespaces import ANNOUNCEMENTS, UserNamespace, user_channel
from shared.realtime.exceptions import ErrorCode, Refused

__all__ = ["NotificationConsumer"]

# Handlers run here, not in Django's one thread-sensitive thread, where one slow handshake would
# hold up every other.
_threads = ThreadPoolExecutor(32, thread_name_prefix="consumer")


class NotificationConsumer(WebsocketConsumer):
    """
    A synchronous consumer: its handlers are plain functions in a thread.

    What belongs to the event loop, such as the hub, is called through `async_to_sync`; called
    directly it would do nothing, or race.
    """

    channel_layer_alias = "none"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.connection = PlainConnection(
            the_gateway(), scope["user"], UserNamespace.name, send, wire_of(scope)
        )
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.connection.close(1006)

    async def dispatch(self, message: dict[str, Any]) -> None:
        handler = getattr(self, get_handler_name(message))
        await sync_to_async(handler, thread_sensitive=False, executor=_threads)(message)

    def connect(self) -> None:
        # The channel follows from the session: there is nothing in the query to forge.
        since = {
            user_channel(self.scope["user"].pk): position_of(self.scope, "since"),
            ANNOUNCEMENTS: position_of(self.scope, "announcements"),
        }
        async_to_sync(self.connection.open)(since)

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        async_to_sync(self._refuse)(text_data)

    def disconnect(self, code: int) -> None:
        async_to_sync(self._close)(code)

    async def _refuse(self, text: str | None) -> None:
        if self.connection.read(text) is not None:
            self.connection.refuse(Refused(ErrorCode.BAD_REQUEST, "Nothing is expected here."))

    async def _close(self, code: int) -> None:
        self.connection.close(code)
