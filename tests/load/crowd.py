"""Many people who have a page open: notification sockets that count what they are sent."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from tests.load.child import Child, commands
from tests.load.frames import CLOSE, PING, PONG, TEXT, BrokenFrame, FrameReader, masked, opening

__all__ = ["Crowd", "Report"]

PATH = "/ws/notifications/"
# Handshakes under way at once: as quick as two gateways answer them, without a queue there.
AT_ONCE = 32
TRIES = 5
HANDSHAKE_SECONDS = 15


@dataclass
class Report:
    """
    What a crowd has seen since it was last told to start over.

    Attributes:
        open: sockets that are open.
        frames: how many sockets got so many notifications.
        latest: when the last notification came, by time.monotonic(); 0 without one.
    """

    open: int = 0
    frames: Counter[int] = field(default_factory=Counter)
    latest: float = 0.0

    def with_exactly(self, count: int) -> int:
        """Return how many open sockets got so many notifications."""
        return self.frames[count]


class Crowd:
    """A process full of sockets."""

    def __init__(self, urls: Sequence[str], origin: str, cookies: Sequence[str]) -> None:
        """
        Args:
            urls: `http://host:port` of each gateway; the sockets take turns.
            origin: what their browsers send as Origin.
            cookies: the Cookie header of each.
        """
        self.size = len(cookies)
        self._child = Child(gather, list(urls), origin, list(cookies))

    def wait_until_open(self, progress: Callable[[int], None]) -> None:
        """
        Wait until all sockets are open and have been greeted.

        Raises:
            RuntimeError: some could not be opened.
        """
        while (count := self._child.hear(120)) != self.size:
            if isinstance(count, str):
                raise RuntimeError(f"A socket could not be opened: {count}.")
            progress(count)

    def start_over(self) -> None:
        """Forget what came until now."""
        self._child.ask("reset")

    def report(self) -> Report:
        report: Report = self._child.ask("report")
        return report

    def wait_until_told(self, count: int, seconds: float) -> Report:
        """Wait until each socket got so many notifications, at most so long; return the report."""
        deadline = time.monotonic() + seconds
        while True:
            report = self.report()
            if report.with_exactly(count) == self.size or time.monotonic() > deadline:
                return report
            time.sleep(0.2)

    def end(self) -> None:
        self._child.end()


class Listener(asyncio.Protocol):
    """One socket."""

    __slots__ = ("frames", "greeted", "is_open", "latest", "reader", "request", "response", "wire")

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.response: bytearray | None = bytearray()
        self.reader = FrameReader()
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.frames = 0
        self.latest = 0.0
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.wire = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if self.response is not None:
            self.response += data
            head, end, rest = self.response.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self.fail(head.partition(b"\r\n")[0].decode("latin-1"))
                return
            self.response, data = None, bytes(rest)
        try:
            for opcode, payload in self.reader.feed(data):
                self.take(opcode, payload)
        except BrokenFrame as error:
            self.fail(str(error))

    def take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            kind = json.loads(payload)["type"]
            if kind == "notification":
                self.frames += 1
                self.latest = time.monotonic()
            elif kind == "connection_established" and not self.greeted.done():
                self.is_open = True
                self.greeted.set_result(None)
        elif opcode == PING:
            self.wire.write(masked(PONG, payload))
        elif opcode == CLOSE:
            self.wire.close()

    def fail(self, reason: str) -> None:
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError(reason))
        self.wire.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError("closed before the greeting"))


async def gather(pipe: Connection, urls: list[str], origin: str, cookies: list[str]) -> None:
    """Be the process: open all sockets, then answer `reset` and `report`."""
    asked = commands(pipe)
    slots = asyncio.Semaphore(AT_ONCE)
    listeners: list[Listener] = []

    async def join(url: str, cookie: str) -> None:
        async with slots:
            listeners.append(await connect(url, {"Origin": origin, "Cookie": cookie}))
        if len(listeners) % 500 == 0 and len(listeners) < len(cookies):
            pipe.send(len(listeners))

    try:
        async with asyncio.TaskGroup() as group:
            for url, cookie in zip(itertools.cycle(urls), cookies, strict=False):
                group.create_task(join(url, cookie))
    except ExceptionGroup as errors:
        pipe.send(repr(errors.exceptions[0]))
        raise
    pipe.send(len(cookies))
    while True:
        command = await asked.get()
        if command == "reset":
            for one in listeners:
                one.frames, one.latest = 0, 0.0
        pipe.send(report_of(listeners))


async def connect(url: str, headers: dict[str, str]) -> Listener:
    """Open one socket; gateways refuse handshakes that are too many, so try again."""
    loop = asyncio.get_running_loop()
    place = urlsplit(url)
    assert place.hostname is not None, "the stack's addresses are complete"
    for attempt in range(1, TRIES + 1):
        request = opening(place.netloc, PATH, headers)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                _, listener = await loop.create_connection(
                    partial(Listener, request), place.hostname, place.port or 80
                )
                await listener.greeted
        except (OSError, TimeoutError):
            if attempt == TRIES:
                raise
            await asyncio.sleep(attempt)
        else:
            return listener
    raise AssertionError("the last attempt returns or raises")


def report_of(listeners: Sequence[Listener]) -> Report:
    """Sum up; a socket that was closed counts in `frames` no more."""
    alive = [one for one in listeners if one.is_open]
    return Report(
        open=len(alive),
        frames=Counter(one.frames for one in alive),
        latest=max((one.latest for one in alive), default=0.0),
    )
