"""The ASGI application of the tutorial's Daphne."""

from __future__ import annotations

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

http = get_asgi_application()

from tests.load.tutorial.consumers import NotificationConsumer  # noqa: E402 - needs Django set up

__all__ = ["application"]

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AuthMiddlewareStack(
            URLRouter([path("ws/notifications/", NotificationConsumer.as_asgi())])
        ),
    }
)
