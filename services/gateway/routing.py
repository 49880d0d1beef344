"""Which WebSocket path goes to which consumer; anything else is refused, without a traceback."""

from __future__ import annotations

from typing import Any, cast

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

from services.gateway.consumers.centrifuge import centrifuge
from services.gateway.consumers.channel import ChannelConsumer
from services.gateway.consumers.notifications import NotificationConsumer
from services.gateway.handshake import Application, ExactOrigin, SessionUser
from services.gateway.refusal import refuse

__all__ = ["websocket_application", "with_http"]


async def _unknown_path(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await refuse(scope, send, "protocol", 404)


async def _no_http(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"This server answers WebSockets.\n"})


def _signed_in(consumer: Application) -> Any:
    # Django types a route's target as a view; to Channels it is an ASGI application.
    return ExactOrigin(SessionUser(consumer))


# Paths come first: that there is nothing here is no secret, and must not cost a query.
websocket_application: Application = URLRouter(
    [
        re_path(r"^ws/notifications/\Z", _signed_in(NotificationConsumer.as_asgi())),
        re_path(
            r"^ws/(?P<namespace>[a-z][a-z0-9_-]{1,31})/(?P<topic>[A-Za-z0-9_-]{1,100})/\Z",
            _signed_in(ChannelConsumer.as_asgi()),
        ),
        re_path(r"^connection/websocket\Z", cast(Any, centrifuge)),
        re_path(r"", cast(Any, _unknown_path)),
    ]
)


def with_http(http: Any = _no_http) -> ProtocolTypeRouter:
    """Return the ASGI application: our WebSockets beside some HTTP, by default none."""
    return ProtocolTypeRouter({"websocket": websocket_application, "http": http})
