"""
`python -m tests.load.fanout.tutorial`: a chat room as the tutorial of Django Channels writes it.

A stock Daphne, the tutorial's `AsyncWebsocketConsumer` behind its origin validator, sessions and
router, a new Django project's database, and channels-rabbitmq between the consumers. BROKER_URL
says where RabbitMQ is. It writes its port to stdout and ends with stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from typing import Any

# First of Twisted: it installs the reactor.
from daphne.server import Server  # isort: skip

import django
from carehare._heartbeat import HeartbeatMonitor
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from twisted.internet import reactor

GROUP = "room"
# With the defaults, 100 each, a queue that is full drops what its subscribers wait for.
LOCAL_CAPACITY, REMOTE_CAPACITY = 1_000, 10_000


class RoomConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Gives everybody in the room what one of them sends."""

    async def connect(self) -> None:
        if self.scope["path"] != "/pub":
            await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        assert text_data is not None
        message = json.loads(text_data)
        await self.channel_layer.group_send(GROUP, {"type": "chat.message", "message": message})

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(event["message"]))


def application() -> Any:
    """What the tutorial's asgi.py has; its imports need Django set up."""
    from channels.auth import AuthMiddlewareStack
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator
    from django.core.asgi import get_asgi_application
    from django.urls import re_path

    router = URLRouter([re_path(r"^(pub|sub)$", RoomConsumer.as_asgi())])
    return ProtocolTypeRouter(
        {
            "http": get_asgi_application(),
            "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(router)),
        }
    )


def main() -> int:
    # With 5,000 subscribers it hears nothing of the broker for longer than a heartbeat may take,
    # and would end the connection, with the messages on it.
    HeartbeatMonitor._beat = lambda self: None
    layer = {
        "BACKEND": "channels_rabbitmq.core.RabbitmqChannelLayer",
        "CONFIG": {
            "host": os.environ["BROKER_URL"],
            "groups_exchange": "fanout-tutorial",
            "local_capacity": LOCAL_CAPACITY,
            "remote_capacity": REMOTE_CAPACITY,
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        # Channels looks after the database's connections at each message, used or not.
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/tutorial.sqlite3"}
        settings.configure(
            DATABASES={"default": database},
            CHANNEL_LAYERS={"default": layer},
            ALLOWED_HOSTS=["127.0.0.1"],
            INSTALLED_APPS=[
                "channels",
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django.contrib.sessions",
            ],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            SECRET_KEY="of no use here",
        )
        django.setup()
        server = Server(
            application(),
            endpoints=["tcp:port=0:interface=127.0.0.1:backlog=4096"],
            signal_handlers=False,
        )

        def ready() -> None:
            asyncio.get_event_loop().add_reader(sys.stdin.fileno(), end)
            print(server.listening_addresses[0][1], flush=True)

        def end() -> None:
            asyncio.get_event_loop().remove_reader(sys.stdin.fileno())
            reactor.stop()

        reactor.callWhenRunning(reactor.callLater, 0, ready)
        server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
