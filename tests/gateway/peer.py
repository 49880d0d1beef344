"""A WebSocket of the gateway's real application, with no server in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from channels.testing import WebsocketCommunicator

from services.gateway.routing import with_http
from services.gateway.runtime import Gateway
from shared.accounts.namespaces import REVOCATIONS
from shared.realtime.controls import CONTROLS

__all__ = ["ORIGIN", "Peer", "eventually", "served"]

ORIGIN = "http://testserver"
_SECONDS = 10.0


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds that nothing else tells of."""
    async with asyncio.timeout(_SECONDS):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.002)


def served(gateway: Gateway) -> set[str]:
    """Return the channels that the gateway serves for clients."""
    return {live.channel for live in gateway.repair.hub} - {REVOCATIONS, CONTROLS}


class Peer:
    """
    One client's end of a connection.

    Attributes:
        greeting: the first frame, once it is open.
    """

    def __init__(
        self, path: str, cookie: str | None = None, *, origins: tuple[str, ...] = (ORIGIN,)
    ) -> None:
        headers = [(b"origin", origin.encode()) for origin in origins]
        if cookie is not None:
            headers.append((b"cookie", cookie.encode()))
        self.communicator = WebsocketCommunicator(with_http(), path, headers)
        self.greeting: dict[str, Any] = {}

    async def connects(self) -> bool:
        """Try the handshake; say whether it was accepted."""
        accepted, _ = await self.communicator.connect(_SECONDS)
        if not accepted:
            # As Daphne does after a refusal.
            await self.leave(1006)
        return bool(accepted)

    async def __aenter__(self) -> Self:
        assert await self.connects(), "the handshake was refused"
        self.greeting = await self.receive()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.leave()

    async def leave(self, code: int = 1000) -> None:
        """End the connection from the client's side, and wait for the application's end."""
        if not self.communicator.future.done():
            await self.communicator.disconnect(code, _SECONDS)

    async def send(self, text: str | None = None, /, **message: Any) -> None:
        """Send a text as it is, or the named values as one JSON object."""
        text = json.dumps(message) if text is None else text
        await self.communicator.send_input({"type": "websocket.receive", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        await self.communicator.send_input({"type": "websocket.receive", "bytes": data})

    async def receive(self) -> dict[str, Any]:
        """Return the next frame."""
        frame: dict[str, Any] = await self.communicator.receive_json_from(_SECONDS)
        return frame

    async def receive_many(self, count: int) -> list[dict[str, Any]]:
        """Return the next frames."""
        return [await self.receive() for _ in range(count)]

    async def close_code(self) -> int:
        """Return the code of the close that comes next."""
        event = await self.communicator.receive_output(_SECONDS)
        assert event["type"] == "websocket.close", event
        await self.leave(event["code"])
        return int(event["code"])

    async def until_closed(self) -> tuple[list[dict[str, Any]], int]:
        """Return all frames up to the close, and its code."""
        frames = []
        while (event := await self.communicator.receive_output(_SECONDS))[
            "type"
        ] != "websocket.close":
            frames.append(json.loads(event["text"]))
        await self.leave(event["code"])
        return frames, int(event["code"])

    async def hears_nothing(self) -> bool:
        """Whether nothing has come; asked after something later was seen to arrive elsewhere."""
        return bool(await self.communicator.receive_nothing())
