"""What the plain endpoints have in common: from ASGI's messages to a connection's calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import parse_qs

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from services.gateway.arrivals import Since
from services.gateway.plain_connection import PlainConnection
from services.gateway.runtime import the_gateway
from shared.realtime.positions import LOST, Position

__all__ = ["PlainConsumer", "position_of"]


class PlainConsumer(AsyncWebsocketConsumer, ABC):
    """
    An asynchronous consumer over the gateway's hub; it has no channel layer of its own.

    So one loop over what comes is enough. Channels' own waits for a layer, too: three tasks more
    for each connection, and a thread for each message that looks after database connections,
    which are used elsewhere here.
    """

    channel_layer_alias = "none"

    @abstractmethod
    def kind(self) -> str:
        """Return the name of the namespace that is served, for metrics."""

    @abstractmethod
    def wanted(self) -> Since:
        """Return the channels to hear, and where the client stood in each."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.base_send = scope, send
        self.connection = PlainConnection(the_gateway(), scope["user"], self.kind(), scope, send)
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            # Also when the server cancels us: nothing of the connection may stay in the hub.
            self.connection.close(1006)

    async def dispatch(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "websocket.connect":
                await self.connection.open(self.wanted())
            case "websocket.receive":
                await self.receive(message.get("text"), message.get("bytes"))
                await self.connection.rest()
            case "websocket.disconnect":
                self.connection.close(message["code"])
                raise StopConsumer


def position_of(scope: Any, name: str) -> Position | None:
    """Return the position of a query parameter; one that cannot be read is lost, not absent."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    values = query.get(name)
    if values is None:
        return None
    return Position.parse(values[-1]) or LOST
