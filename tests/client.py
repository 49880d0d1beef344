"""Clients for tests: a browser's session over HTTP, and its WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

__all__ = ["ChatClient", "Session", "open_notifications"]


class Session:
    """A person who is signed in at a running Carillon."""

    def __init__(self, url: str, username: str, password: str = "carillon") -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, follow_redirects=True, timeout=10)
        answer = self.sign_in(username, password)
        assert answer.url.path == "/rooms/", f"{username} could not sign in: {answer.url}"

    def sign_in(self, username: str, password: str = "carillon") -> httpx.Response:
        """Sign in, again or as somebody else; return the page that follows."""
        page = self.http.get("/accounts/login/")
        form = {"username": username, "password": password}
        return self.post("/accounts/login/", form, page=page)

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
        close_code: how the connection ended; None while it is open.
        closed_at: when it ended, Unix seconds.
    """

    url: str
    cookie: str
    origin: str
    frames: list[dict[str, Any]] = field(default_factory=list)
    close_code: int | None = None
    closed_at: float = 0.0

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
            self.close_code, self.closed_at = self.socket.close_code, time.time()
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


def open_notifications(session: Session, url: str, **query: str) -> ChatClient:
    """Return a client of what is for this user, at one gateway or at nginx."""
    question = "&".join(f"{name}={value}" for name, value in query.items())
    address = f"{url.replace('http', 'ws', 1)}/ws/notifications/?{question}"
    return ChatClient(address, session.cookie, session.url)
