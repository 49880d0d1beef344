"""What is behind nginx in a test: gateways and web processes with own addresses, and a DNS."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

__all__ = ["Names", "StandIn", "wait_for"]


async def wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - whatever it looks at tells nobody
            await asyncio.sleep(0.02)


class StandIn:
    """A gateway or the web tier on an address of its own: tells what reached it, echoes frames."""

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.server: Server | None = None

    async def start(self) -> StandIn:
        self.server = await serve(
            self.echo, self.address, self.port, process_request=self.tell, ping_interval=None
        )
        return self

    async def stop_listening(self) -> None:
        """Refuse who comes; who is there stays."""
        assert self.server is not None
        self.server.close(close_connections=False)
        await wait_for(lambda: not self.server or not self.server.is_serving())

    async def close(self) -> None:
        if self.server is not None:
            self.server.close(code=1012)
            await self.server.wait_closed()
            self.server = None

    def tell(self, connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        seen = {
            "address": self.address,
            "path": request.path,
            "headers": {name.lower(): value for name, value in request.headers.raw_items()},
        }
        return connection.respond(HTTPStatus.OK, json.dumps(seen))

    async def echo(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        await connection.send(self.address)
        await connection.send(json.dumps(dict(connection.request.headers.raw_items())))
        async for message in connection:
            await connection.send(message)


class Names(asyncio.DatagramProtocol):
    """A DNS server that knows what a test tells it."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        self.transport: asyncio.DatagramTransport | None = None

    async def start(self, port: int) -> Names:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", port))
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, sender: Any) -> None:
        labels, rest = [], data[12:]
        while length := rest[0]:
            labels.append(rest[1 : 1 + length].decode())
            rest = rest[1 + length :]
        (kind,) = struct.unpack("!H", rest[1:3])
        known = self.addresses.get(".".join(labels))
        found = (known or []) if kind == 1 else []
        # An answer, with recursion; 3 is a name that does not exist.
        flags = 0x8180 | (0 if known is not None else 3)
        question = data[12 : len(data) - len(rest) + 5]
        records = b"".join(
            # The name is where the question has it; type A, class IN, a day, four bytes.
            struct.pack("!HHHIH", 0xC00C, 1, 1, 86_400, 4) + bytes(map(int, address.split(".")))
            for address in found
        )
        head = struct.pack("!2sHHHHH", data[:2], flags, 1, len(found), 0, 0)
        assert self.transport is not None
        self.transport.sendto(head + question + records, sender)
