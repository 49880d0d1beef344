"""
`python -m tests.load.fanout.server`: the gateway's own server around an application of one group.

It is what a gateway is without its hub, broker and database: sessions, subscriptions and the log
take no part. What a gateway does against floods it does, too. It writes its port to stdout, answers
to what stdin says (`tests.load.fanout.turns`), and ends with stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from typing import Any

# First of Twisted: it installs the reactor.
import daphne.server  # noqa: F401
import django
from twisted.internet import reactor

from services.gateway import allocator
from services.gateway.closecodes import CloseCode
from services.gateway.limits import RateLimit
from services.gateway.outbox import Outbox, QueuedOutbox, WireOutbox
from services.gateway.transport.fanout import FanOutGroup
from services.gateway.transport.selftest import self_test
from services.gateway.transport.server import GatewayServer
from services.gateway.transport.wire import EXTENSION
from tests.load.fanout.turns import Turns

KIND = "fanout"
MESSAGE_BYTES = 64 * 1024
TOO_MANY = json.dumps({"type": "error", "code": 111, "message": "Too many messages."})
PING_SECONDS, PONG_SECONDS = 25.0, 8.0


class Channel:
    """The ASGI application: /pub publishes what it is sent, /sub gets all of it."""

    def __init__(self) -> None:
        self._group = FanOutGroup(KIND)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if scope["path"] == "/pub":
            await self._publish(receive)
        else:
            extension = scope["extensions"].get(EXTENSION)
            outbox = WireOutbox(extension["wire"], KIND) if extension else QueuedOutbox(send, KIND)
            await self._subscribe(outbox, receive)

    async def _publish(self, receive: Any) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            self._group.publish(message["text"], time.time())

    async def _subscribe(self, outbox: Outbox, receive: Any) -> None:
        self._group.join(outbox)
        rate = RateLimit(time.monotonic())
        while (await receive())["type"] == "websocket.receive":
            # As `PlainConnection` has it.
            now = time.monotonic()
            if not outbox.is_closing and rate.take(now):
                outbox.send(TOO_MANY)
                if rate.exhausted(now):
                    self._group.leave(outbox)
                    outbox.close(CloseCode.TOO_MANY_REQUESTS)
                if rate.rest:
                    await asyncio.sleep(rate.rest)
        self._group.leave(outbox)
        outbox.abandon()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.fanout.server", description=__doc__)
    parser.add_argument("--slow", action="store_true", help="every frame by an ASGI message")
    options = parser.parse_args(arguments)
    # For the import below alone, which knows Django's models; no database is opened.
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from services.gateway.garbage import Garbage

    self_test()
    application = Garbage(Channel())
    server = GatewayServer(
        application,
        ["tcp:port=0:interface=127.0.0.1:backlog=4096"],
        max_message_bytes=MESSAGE_BYTES,
        ping_seconds=PING_SECONDS,
        pong_seconds=PONG_SECONDS,
        is_fast=not options.slow,
    )

    turns = Turns()

    def ready() -> None:
        application.start()
        loop = asyncio.get_event_loop()
        loop.add_reader(sys.stdin.fileno(), obey, loop)
        print(server.listening_addresses[0][1], flush=True)

    def obey(loop: asyncio.AbstractEventLoop) -> None:
        words = os.read(sys.stdin.fileno(), 4096).decode().splitlines()
        if not words:
            loop.remove_reader(sys.stdin.fileno())
            server.stop()
        for word in words:
            print(json.dumps(turns.answer(word)), flush=True)

    reactor.callWhenRunning(reactor.callLater, 0, ready)
    server.run()
    return 0


if __name__ == "__main__":
    # As a gateway does.
    allocator.restart_with_system_malloc()
    sys.exit(main(sys.argv[1:]))
