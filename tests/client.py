"""Clients for tests: a browser's session over HTTP, and its WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

__all__ = ["ChatClient", "Session"]


class Session:
    """A person who is signed in at a running Carillon."""

    def __init__(self, url: str, username: str, password: str = "carillon") -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, follow_redirects=True, timeout=10)
        page = self.http.get("/accounts/login/")
        answer = self.post(
            "/accounts/login/", {"username": username, "password": password}, page=page
        )
        assert answer.url.path == "/rooms/", f"{username} could not sign in: {answer.url}"

    def post(
        self, path: str, data: dict[str, Any], *, page: httpx.Response | None = None
    ) -> httpx.Response:
        """Send a form as its page would, with the CSRF cookie's token."""
        if page is None:
            self.http.get("/rooms/")
        token = next(v for n, v in self.http.cookies.items() if "csrf" in n)
        return self.http.post(
            path, data={**data, "csrfmiddlewaretoken": token}, headers={"Origin": self.url}
        )

    @property
    def cookie(self) -> str:
        """The Cookie header of this session."""
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())


@dataclass
class ChatClient:
    """
    A WebSocket of a plain endpoint that keeps every frame it got.

    Attributes:
        url: `ws://host:port/ws/...`, query included; pins a gateway by its port.
        cookie: the session's Cookie header.
        origin: what a browser would send as Origin.
    """

    url: str
    cookie: str
    origin: str
    frames: list[dict[str, Any]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self.socket: ClientConnection = await connect(
            self.url, additional_headers={"Cookie": self.cookie}, origin=self.origin, proxy=None
        )
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())
        await self.wait_for(lambda client: client.frames)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.socket.close()
        await self._reader

    async def _read(self) -> None:
        # However it ends, a test that expects it to stay open sees that frames are missing.
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                await self._add(json.loads(text))
        async with self._changed:
            self._changed.notify_all()

    async def _add(self, frame: dict[str, Any]) -> None:
        async with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()

    async def send(self, **message: Any) -> None:
        """Send one JSON object."""
        await self.socket.send(json.dumps(message))

    async def wait_for(self, condition: Callable[[Self], Any], within: float = 15) -> None:
        """Wait until the condition holds for this client."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: condition(self))

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Return the frames of one type, in the order they came."""
        return [frame for frame in self.frames if frame.get("type") == kind]

    @property
    def texts(self) -> list[str]:
        """What was said, in the order it came."""
        return [frame["message"] for frame in self.of_type("chat")]
