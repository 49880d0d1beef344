"""A server that says to an SDK whatever a test wants: for what no good server says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.sdk.client import TokenSource

__all__ = ["CHANNEL", "EPOCH", "ScriptedServer", "giving", "published", "push_of"]

type Command = dict[str, Any]
# Given a command, returns the result of its method, or `{"error": {..}}`; None says nothing.
type Answer = Callable[[Command], dict[str, Any] | None]

EPOCH = "script"
CHANNEL = "chat:lobby"


def published(offset: int) -> dict[str, Any]:
    """Return a publication."""
    return {"offset": offset, "data": {"number": offset}}


def push_of(offset: int) -> dict[str, Any]:
    """Return the message that brings a publication."""
    return {"push": {"channel": CHANNEL, "pub": published(offset)}}


def giving(token: str | None) -> TokenSource:
    """Return what gives the same token each time."""

    async def give() -> str | None:
        return token

    return give


def _connected(command: Command) -> dict[str, Any]:
    return {"client": f"c{command['id']}", "version": "0", "ping": 25, "pong": True}


def _subscribed(command: Command) -> dict[str, Any]:
    return {"recoverable": True, "positioned": True, "epoch": EPOCH, "offset": 0}


class ScriptedServer:
    """
    Answers each command by its method's answer, and says more when it is told to.

    Attributes:
        answers: by method; a test replaces what it is about.
        frames: what came, by connection, a list of commands for each frame.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {
            "connect": _connected,
            "subscribe": _subscribed,
            "unsubscribe": lambda command: {},
            "publish": lambda command: {},
        }
        self.frames: list[list[list[Command]]] = []
        self._sockets: list[ServerConnection] = []
        self._changed = asyncio.Condition()
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(self._handle, "127.0.0.1", 0, ping_interval=None)
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/connection/websocket"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self._sockets)

    def commands(self, method: str) -> list[Command]:
        """Return the commands of one method, of all connections; `pong` are those without any."""
        return [
            command
            for frames in self.frames
            for frame in frames
            for command in frame
            if (method in command) or (method == "pong" and command == {})
        ]

    async def wait_for(self, condition: Callable[[Self], Any], within: float = 10) -> None:
        """Wait until something holds for what came."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: condition(self))

    async def say(self, *messages: dict[str, Any]) -> None:
        """Send messages in one frame to the newest connection."""
        await self.say_text("\n".join(json.dumps(message) for message in messages))

    async def push(self, channel: str, **push: Any) -> None:
        """Send one push."""
        await self.say({"push": {**({"channel": channel} if channel else {}), **push}})

    async def say_text(self, text: str) -> None:
        """Send a frame as it is."""
        await self._sockets[-1].send(text)

    async def close(self, code: int, reason: str = "") -> None:
        """Close the newest connection."""
        await self._sockets[-1].close(code, reason)

    async def _handle(self, socket: ServerConnection) -> None:
        frames: list[list[Command]] = []
        async with self._changed:
            self._sockets.append(socket)
            self.frames.append(frames)
            self._changed.notify_all()
        try:
            async for text in socket:
                commands = [json.loads(line) for line in str(text).splitlines()]
                async with self._changed:
                    frames.append(commands)
                    self._changed.notify_all()
                for command in commands:
                    if reply := self._reply(command):
                        await socket.send(json.dumps(reply))
        except ConnectionClosed:
            pass

    def _reply(self, command: Command) -> dict[str, Any] | None:
        method = next((name for name in command if name != "id"), "")
        answer = self.answers.get(method)
        result = answer(command) if answer else None
        if result is None:
            return None
        return {"id": command["id"], **(result if "error" in result else {method: result})}
