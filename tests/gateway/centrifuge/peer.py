"""A client of the Centrifuge protocol over the gateway's real application, without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from channels.testing import WebsocketCommunicator

from services.gateway.routing import with_http
from tests.gateway.peer import ORIGIN

__all__ = ["PATH", "CentrifugePeer"]

PATH = "/connection/websocket"
_SECONDS = 10.0
# An error has said why, or nobody is there to hear it.
_UNTOLD = {3000, 3008, 3012}


class CentrifugePeer:
    """
    One connection; as a context it is open, and connected with the cookie.

    Attributes:
        welcome: the result of `connect`.
        pushes: what came while a reply was waited for, but who comes and goes.
        changes: who came and went, in the channels where that is told.
    """

    def __init__(
        self,
        cookie: str | None = None,
        *,
        origin: str | None = ORIGIN,
        connect: Mapping[str, Any] | None = None,
        subprotocols: list[str] | None = None,
    ) -> None:
        headers = [] if origin is None else [(b"origin", origin.encode())]
        if cookie is not None:
            headers.append((b"cookie", cookie.encode()))
        self.communicator = WebsocketCommunicator(with_http(), PATH, headers, subprotocols)
        self.welcome: dict[str, Any] = {}
        self.pushes: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self._connect = connect or {}
        # Messages of frames that have come.
        self._received: list[str] = []
        self._number = 0

    async def opens(self) -> tuple[bool, Any]:
        """Try the handshake; return whether it was accepted, and the subprotocol."""
        return await self.communicator.connect(_SECONDS)

    async def __aenter__(self) -> Self:
        accepted, _ = await self.opens()
        assert accepted, "the handshake was refused"
        self.welcome = (await self.ask("connect", **self._connect))["connect"]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.leave()

    async def leave(self) -> None:
        """End the connection from the client's side, and wait for the application's end."""
        if not self.communicator.future.done():
            await self.communicator.disconnect(1000, _SECONDS)

    async def send(self, frame: str) -> None:
        """Send a frame as it is."""
        await self.communicator.send_input({"type": "websocket.receive", "text": frame})

    def command(self, method: str, /, **request: Any) -> str:
        """Return a command with the next number."""
        self._number += 1
        return json.dumps({"id": self._number, method: request})

    async def ask(self, method: str, /, **request: Any) -> dict[str, Any]:
        """Send a command and return its reply."""
        await self.send(self.command(method, **request))
        return await self.reply(self._number)

    async def reply(self, number: int) -> dict[str, Any]:
        """Return the reply to a command; pushes before it are kept."""
        while True:
            message = await self.receive()
            if message.get("id") == number:
                return message
            self._keep(message["push"])

    async def error(self, method: str, /, **request: Any) -> int:
        """Send a command that is to fail; return the code."""
        answer = await self.ask(method, **request)
        assert answer["error"]["message"], answer
        return int(answer["error"]["code"])

    async def push(self) -> dict[str, Any]:
        """Return the next push."""
        while not self.pushes:
            self._keep((await self.receive())["push"])
        return self.pushes.pop(0)

    async def change(self) -> dict[str, Any]:
        """Return the next push that tells who came or went."""
        while not self.changes:
            self._keep((await self.receive())["push"])
        return self.changes.pop(0)

    def _keep(self, push: dict[str, Any]) -> None:
        (self.changes if push.keys() & {"join", "leave"} else self.pushes).append(push)

    async def publication(self) -> dict[str, Any]:
        """Return the next push, which is a publication."""
        pub: dict[str, Any] = (await self.push())["pub"]
        return pub

    async def receive(self) -> dict[str, Any]:
        """Return the next message."""
        if not self._received:
            frame = await self.communicator.receive_from(_SECONDS)
            self._received = frame.split("\n")
        message: dict[str, Any] = json.loads(self._received.pop(0))
        return message

    async def closed(self) -> tuple[int, str]:
        """Return code and reason of the close that comes next; a push has just said the same."""
        pushed: dict[str, Any] | None = None
        while (event := await self.communicator.receive_output(_SECONDS))["type"] != (
            "websocket.close"
        ):
            last = event["text"].rpartition("\n")[2]
            pushed = json.loads(last).get("push", {}).get("disconnect")
        why = {"code": event["code"], "reason": event["reason"]}
        assert pushed == (None if event["code"] in _UNTOLD else why)
        async with asyncio.timeout(_SECONDS):
            await self.communicator.send_input(
                {"type": "websocket.disconnect", "code": event["code"]}
            )
            await self.communicator.wait()
        return int(event["code"]), str(event["reason"])
