"""People who say things over HTTP and read pages, of whose requests none may fail."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from tests.sdk.room import Room
from tests.sdk.trials.people import Person

__all__ = ["HalfSent", "Visits", "visiting"]

EVERY_SECONDS = 1.0
# Less than nginx waits for the web tier, which then answers for it.
PATIENCE_SECONDS = 40.0


@dataclass
class Visits:
    """
    What became of requests.

    Attributes:
        seconds: how long each took.
        failed: what went wrong, in words.
    """

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@asynccontextmanager
async def visiting(people: Sequence[Person], rooms: Sequence[Room]) -> AsyncIterator[Visits]:
    """Have each person say something in a room and read its page every second."""
    visits = Visits()
    is_over = asyncio.Event()

    async def visit(person: Person, room: Room, first: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + first
        # First of all: it may bring a cookie.
        headers = await asyncio.to_thread(token_headers, person)
        async with httpx.AsyncClient(
            base_url=person.url, cookies=person.http.cookies, timeout=PATIENCE_SECONDS
        ) as http:
            while not is_over.is_set():
                await asyncio.sleep(max(0.0, due - loop.time()))
                due += EVERY_SECONDS
                words = room.words()
                if await ask(http, "POST", address_of(room), json=words, headers=headers):
                    room.acked.append(words["client_id"])
                await ask(http, "GET", f"/rooms/{room.name}/")

    async def ask(http: httpx.AsyncClient, method: str, path: str, **what: object) -> bool:
        began = time.monotonic()
        try:
            answer = await http.request(method, path, **what)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            words = f"{method} {path}: {error!r}"
        else:
            words = "" if answer.is_success else f"{method} {path}: {answer.status_code}"
        visits.seconds.append(time.monotonic() - began)
        if words:
            visits.failed.append(words)
        return not words

    tasks = [
        asyncio.create_task(visit(person, rooms[number % len(rooms)], number / len(people)))
        for number, person in enumerate(people)
    ]
    try:
        yield visits
    finally:
        is_over.set()
        await asyncio.gather(*tasks)


class HalfSent:
    """A message of which one half is on its way, and the other one is held back."""

    def __init__(self, url: str, person: Person, room: Room) -> None:
        """
        Args:
            url: nginx, or the web tier itself.
            person: who says it.
            room: where.
        """
        self._url = urlsplit(url)
        self._room = room
        self._words = room.words()
        fields = {
            **token_headers(person),
            # As nginx would: the name that people know.
            "Host": urlsplit(person.url).netloc,
            "Cookie": person.cookie,
            "Content-Type": "application/json",
        }
        self._head, self._body = request_of(address_of(room), fields, json.dumps(self._words))

    async def begin(self) -> None:
        """Send all but the last half of the body."""
        assert self._url.hostname is not None
        self._reader, self._writer = await asyncio.open_connection(
            self._url.hostname, self._url.port
        )
        half = len(self._body) // 2
        self._writer.write(self._head + self._body[:half])
        await self._writer.drain()
        self._rest = self._body[half:]

    async def finish(self) -> str:
        """Send the rest; return the answer's first line, or what came instead."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                self._writer.write(self._rest)
                line = (await self._reader.readline()).decode().strip()
        except (OSError, TimeoutError) as error:
            return repr(error)
        finally:
            self._writer.close()
        if " 201 " in f"{line} ":
            self._room.acked.append(self._words["client_id"])
        return line or "nothing"


def address_of(room: Room) -> str:
    return f"/api/v1/rooms/{room.name}/messages"


def token_headers(person: Person) -> dict[str, str]:
    """Say what a page says with each request that writes."""
    if not any("csrf" in name for name in person.http.cookies):
        person.http.get("/rooms/")
    token = next(v for n, v in person.http.cookies.items() if "csrf" in n)
    return {"Origin": person.url, "X-CSRFToken": token}


def request_of(path: str, fields: Mapping[str, str], body: str) -> tuple[bytes, bytes]:
    """Return the head and the body of a POST."""
    data = body.encode()
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(data)}", "Connection: close", "", ""])
    return head.encode(), data
