"""
`python -m tests.gateway.transport.application`: the gateway's server with an application for tests.

Without Django, database and broker. Prints its port, or 0, as the first line, and its counts as
the last one. SIGTERM drains it; the second one ends it at once, the third without any waiting.

    /echo                      sends back text and bytes
    /close?code=&reason=       closes so after the first message; what was refused is in /stats
    /hang                      accepts and never reads
    /stubborn                  accepts, and does not end when it is cancelled
    /thread?sleep=             has a thread sleep, then as /echo
    /unclosable                fails to send close frames
    /late                      reads only after somebody came to /release, then as /echo
    /sip?seconds=              takes a message each so many seconds
    /flood?bytes=              sends messages without end
    /refuse, /status?code=     turn the handshake down: with a close, with a status
    /slow-accept?seconds=      accepts late, then as /echo
    /block?block=              holds the event loop when it has accepted, then as /echo
    /fail?when=before|after    raises before it accepts, or after the first message;
                               "cancelled" raises then as if it had been cancelled
    /drain                     drains the server at the first message, as POST /drain does
    /leave?when=before|after   returns then instead
    /scope                     sends what it was told of its client
    /words                     has a ping and a farewell of its own: {} and 3001; answers a {} with
                               whether it was asked for
    /busy                      has a ping of its own that {} answers, and is busy for ever
    /hub/<group>               joins the group; see _Hub for its commands
    /stats                     answers each message with what it has counted
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

# First of all: it chooses Twisted's reactor.
import daphne.server  # noqa: F401  isort: skip

from prometheus_client import REGISTRY
from twisted.internet import reactor

from services.gateway.outbox import QueuedOutbox, WireOutbox
from services.gateway.transport.drain import Drain, leave
from services.gateway.transport.fanout import FanOutGroup
from services.gateway.transport.frames import text_frame
from services.gateway.transport.selftest import self_test
from services.gateway.transport.server import GatewayServer
from services.gateway.transport.wire import EXTENSION

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


_COUNTED = tuple(
    f"carillon_gateway_{name}"
    for name in (
        "applications_cancelled_total",
        "connection_duration_seconds_count",
        "connection_duration_seconds_sum",
        "connections_limit",
        "handshakes_rejected_total",
    )
)


class Application:
    """All of the paths above."""

    def __init__(self) -> None:
        self.server: GatewayServer | None = None
        self.drain: Drain | None = None
        self.groups: defaultdict[str, FanOutGroup] = defaultdict(lambda: FanOutGroup("test"))
        # How often a connection to a hub was accepted, and how often one's end was told.
        self.connects = self.disconnects = 0
        # How often an ASGI message of /flood went out, and how its task ended.
        self.flooded = 0
        self.flood_ends: list[str] = []
        # Whether those of /late may go on.
        self.released = asyncio.Event()
        # What the server raised at messages that it does not take.
        self.refused: list[str] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        first = await receive()
        assert first["type"] == "websocket.connect", f"{first} came first."
        path, _, rest = scope["path"].removeprefix("/").partition("/")
        query = dict(parse_qsl(scope["query_string"].decode()))
        match path:
            case "refuse":
                await send({"type": "websocket.close"})
            case "status":
                await _turn_down(send, int(query["code"]))
            case "fail" if query["when"] == "before":
                raise RuntimeError("This path fails before it accepts.")
            case "leave" if query["when"] == "before":
                return
            case name if serve := getattr(self, f"serve_{name.replace('-', '_')}", None):
                await asyncio.sleep(float(query.get("seconds", 0)))
                await send({"type": "websocket.accept"})
                await serve(scope, receive, send, query | {"rest": rest})
            case _:
                await _turn_down(send, 404)

    async def serve_echo(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})

    serve_slow_accept = serve_echo

    async def serve_block(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        # The event loop, and with it everybody.
        time.sleep(float(query["block"]))  # noqa: ASYNC251
        await self.serve_echo(scope, receive, send, query)

    async def serve_close(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        await receive()
        message = {"type": "websocket.close", "reason": query.get("reason", "")}
        if "code" in query:
            message["code"] = int(query["code"])
        try:
            await send(message)
        except ValueError as error:
            self.refused.append(str(error))
            await send({"type": "websocket.send", "text": str(error)})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def serve_hang(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        await asyncio.Event().wait()

    async def serve_stubborn(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async def serve_thread(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        asyncio.get_running_loop().run_in_executor(None, time.sleep, float(query["sleep"]))
        await self.serve_echo(scope, receive, send, query)

    async def serve_unclosable(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        def fail(**_: object) -> None:
            raise RuntimeError("This one cannot be closed.")

        scope["extensions"][EXTENSION]["wire"].sendCloseFrame = fail
        await self.serve_hub(scope, receive, send, query)

    async def serve_words(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        wire = scope["extensions"][EXTENSION]["wire"]

        def farewell() -> None:
            wire.send(text_frame(b"farewell"))
            wire.shut(3001, "shutdown")

        wire.ping_message, wire.farewell = text_frame(b"{}"), farewell
        while (await receive())["type"] == "websocket.receive":
            text = "asked" if wire.take_pong() else "not asked"
            await send({"type": "websocket.send", "text": text})

    async def serve_busy(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        wire = scope["extensions"][EXTENSION]["wire"]
        wire.ping_message, wire.pong_message = text_frame(b"{}"), b"{}"
        await self.serve_hang(scope, receive, send, query)

    async def serve_late(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        await self.released.wait()
        await self.serve_echo(scope, receive, send, query)

    async def serve_sip(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        pause = float(query["seconds"])
        while (await receive())["type"] == "websocket.receive":  # noqa: ASYNC110 - it takes them
            await asyncio.sleep(pause)

    async def serve_flood(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        data = bytes(int(query.get("bytes", 16 * 1024)))
        try:
            while True:
                await send({"type": "websocket.send", "bytes": data})
                self.flooded += 1
        except BaseException as error:
            self.flood_ends.append(type(error).__name__)
            raise

    async def serve_fail(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        await receive()
        if query["when"] == "cancelled":
            raise asyncio.CancelledError
        raise RuntimeError("This path fails after it has accepted.")

    async def serve_drain(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        await receive()
        assert self.drain is not None, "main has made it"
        self.drain.start()
        await self.serve_echo(scope, receive, send, query)

    async def serve_leave(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        await receive()

    async def serve_scope(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        told = {
            "client": scope["client"],
            "root_path": scope["root_path"],
            "path": scope["path"],
            "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]],
            "extensions": sorted(scope["extensions"]),
        }
        await send({"type": "websocket.send", "text": json.dumps(told)})
        await receive()

    async def serve_hub(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        await _Hub(self, scope, receive, send, query["rest"]).serve()

    async def serve_release(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        self.released.set()

    async def serve_stats(
        self, scope: dict[str, Any], receive: Receive, send: Send, query: dict[str, str]
    ) -> None:
        while (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": json.dumps(self.stats())})

    def stats(self) -> dict[str, Any]:
        """Return what there is and what there was."""
        assert self.server is not None, "The server is made before it serves."
        protocols = list(self.server.open_connections())
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return {
            "rss": resident,
            "open": len(protocols),
            "known": len(self.server.connections),
            "busy": sum(each.is_busy for each in protocols),
            "fast": sum(each.is_fast for each in protocols),
            "counted": _counted(),
            "members": {name: len(group) for name, group in self.groups.items()},
            "connects": self.connects,
            "disconnects": self.disconnects,
            "flooded": self.flooded,
            "flood_ends": self.flood_ends,
            "refused": self.refused,
        }


def _counted() -> dict[str, float]:
    """Return some of the metrics, by what their names have behind `carillon_gateway_`."""
    return {
        "_".join([sample.name.removeprefix("carillon_gateway_"), *sample.labels.values()]): (
            sample.value
        )
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name.startswith(_COUNTED)
    }


async def _turn_down(send: Send, status: int) -> None:
    await send({"type": "websocket.http.response.start", "status": status, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})


class _Hub:
    """
    A member of a group, who does what its client says.

    publish <group> <text>           publishes
    burst <group> <count> <text>     publishes so many texts with " 0", " 1", ... in one step
    wire <text>                      sends to this client alone, over the wire
    reply <text>                     sends to this client alone, by ASGI
    catch-up <count> <text>          sends what was missed
    join <group>, leave <group>      of further groups, too
    count                            tells how many members this group has
    """

    def __init__(
        self,
        application: Application,
        scope: dict[str, Any],
        receive: Receive,
        send: Send,
        own: str,
    ) -> None:
        self.application, self.receive, self.send, self.own = application, receive, send, own
        wire = scope["extensions"].get(EXTENSION, {}).get("wire")
        self.outbox = QueuedOutbox(send, "test") if wire is None else WireOutbox(wire, "test")
        self.joined: list[FanOutGroup] = []

    async def serve(self) -> None:
        self.application.connects += 1
        self._join(self.own)
        while (message := await self.receive())["type"] == "websocket.receive":
            verb, _, rest = message["text"].partition(" ")
            await self._do(verb, rest)
        self.application.disconnects += 1
        for group in self.joined:
            group.leave(self.outbox)
        self.outbox.abandon()

    async def _do(self, verb: str, rest: str) -> None:
        groups = self.application.groups
        match verb:
            case "publish":
                name, _, text = rest.partition(" ")
                groups[name].publish(text)
            case "burst":
                name, count, text = rest.split(" ", 2)
                for number in range(int(count)):
                    groups[name].publish(f"{text} {number}")
            case "wire":
                self.outbox.send(rest)
            case "reply":
                await self.send({"type": "websocket.send", "text": rest})
            case "catch-up":
                count, text = rest.split(" ", 1)
                self.outbox.send_catch_up([f"{text} {number}" for number in range(int(count))])
            case "pages":
                count, size = map(int, rest.split())
                for number in range(count):
                    await self.outbox.wait_for_room()
                    self.outbox.send_catch_up([f"{number} {'p' * size}"])
            case "join":
                self._join(rest)
            case "leave":
                groups[rest].leave(self.outbox)
                self.joined.remove(groups[rest])
            case "count":
                self.outbox.send(str(len(groups[self.own])))
            case other:
                raise AssertionError(f"There is no command {other}.")

    def _join(self, name: str) -> None:
        group = self.application.groups[name]
        group.join(self.outbox)
        self.joined.append(group)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ping-seconds", type=float, default=25.0)
    parser.add_argument("--pong-seconds", type=float, default=8.0)
    parser.add_argument("--drain-seconds", type=float, default=1.0)
    parser.add_argument("--header-seconds", type=float, default=5.0)
    parser.add_argument("--stall-seconds", type=float, default=10.0)
    parser.add_argument("--pause-seconds", type=float, default=60.0)
    parser.add_argument("--limit", type=int, help="of connections")
    parser.add_argument("--endpoint", default="tcp:port=0:interface=127.0.0.1:backlog=4096")
    parser.add_argument("--proxy", action="append", default=[], help="whose X-Real-IP is believed")
    parser.add_argument("--long-way", action="store_true", help="without the fast path")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    self_test()
    application = Application()
    server = GatewayServer(
        application,
        [options.endpoint],
        max_message_bytes=64 * 1024,
        ping_seconds=options.ping_seconds,
        pong_seconds=options.pong_seconds,
        proxies=options.proxy,
        is_fast=not options.long_way,
        header_seconds=options.header_seconds,
        stall_seconds=options.stall_seconds,
        pause_seconds=options.pause_seconds,
        limit=options.limit,
    )
    application.server = server
    application.drain = Drain(server, options.drain_seconds)
    reactor.callWhenRunning(_be_ready, server, application.drain)
    server.run()
    print(json.dumps(application.stats()), flush=True)
    return 1 if server.abort_start else 0


def _be_ready(server: GatewayServer, drain: Drain) -> None:
    loop = asyncio.get_event_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.start_or_stop)
    # A unix socket has none.
    print(server.listening_addresses[0][1] if server.listening_addresses else 0, flush=True)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
