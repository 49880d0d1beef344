"""
`python -m services.gateway`: one gateway.

SIGTERM or SIGINT drains it: clients are sent away over CARILLON_GATEWAY_DRAIN_SECONDS. The second
one cuts them at once, the third does not wait for anything.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys

from services.gateway import allocator


def arguments_of(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.gateway", description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-e", "--endpoint", action="append", help="in Twisted's words; repeatable")
    where.add_argument("-p", "--port", type=int, default=8000, help="8000 unless given")
    parser.add_argument("-b", "--bind", default="127.0.0.1", help="127.0.0.1 unless given")
    return parser.parse_args(words)


if __name__ == "__main__":
    # Help needs no settings, and nobody wants to wait for it.
    arguments_of(sys.argv[1:])
    allocator.restart_with_system_malloc()

# First of the rest: it chooses Twisted's reactor, and sets Django up.
from services.gateway.asgi import application  # isort: skip

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from twisted.internet import reactor

from services.gateway.runtime import the_gateway
from services.gateway.transport.capacity import TooFewFiles, connection_limit
from services.gateway.transport.drain import Drain, leave
from services.gateway.transport.selftest import SelfTestFailed, self_test
from services.gateway.transport.server import GatewayServer
from shared.settings import production
from shared.telemetry import metrics

logger = logging.getLogger("services.gateway")

# Each write to a socket lets go of the interpreter, which a database thread then keeps for 5 ms
# by default: one that is busy makes a round of 2,000 writes four times as long.
_SWITCH_SECONDS = 0.0005


def main(arguments: list[str]) -> int:
    options = arguments_of(arguments)
    address = options.bind.replace(":", r"\:")
    endpoints = options.endpoint or [f"tcp:port={options.port}:interface={address}:backlog=4096"]
    with production.in_one_line():
        limit = _limit()
    try:
        self_test()
    except SelfTestFailed as error:
        is_fast = False
        # Its words are all there is to know.
        logger.error(  # noqa: TRY400
            "The fast path is off, because its self-test failed: %s.", error
        )
    else:
        is_fast = True
    metrics.FAST_PATH.set(is_fast)
    server = GatewayServer(
        application,
        endpoints,
        max_message_bytes=settings.CARILLON_GATEWAY_MESSAGE_BYTES,
        ping_seconds=settings.CARILLON_GATEWAY_PING_SECONDS,
        pong_seconds=settings.CARILLON_GATEWAY_PONG_SECONDS,
        proxies=settings.CARILLON_GATEWAY_PROXIES,
        is_fast=is_fast,
        limit=limit,
        at_end=the_gateway().stop,
    )
    drain = Drain(server, settings.CARILLON_GATEWAY_DRAIN_SECONDS)
    the_gateway().on_drain(drain.start, lambda: drain.is_running)
    the_gateway().on_crowding(server.capacity.crowding)
    reactor.callWhenRunning(_listen_to_signals, drain)
    sys.setswitchinterval(_SWITCH_SECONDS)
    server.run()
    return 1 if server.abort_start else 0


def _limit() -> int:
    try:
        return connection_limit(
            settings.CARILLON_GATEWAY_CONNECTIONS,
            is_given=settings.CARILLON_GATEWAY_CONNECTIONS_IS_GIVEN,
        )
    except TooFewFiles as error:
        raise ImproperlyConfigured(f"CARILLON_GATEWAY_CONNECTIONS: {error}") from error


def _listen_to_signals(drain: Drain) -> None:
    loop = asyncio.get_event_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.start_or_stop)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
