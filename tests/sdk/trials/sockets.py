"""Thousands of sockets that are in one channel, in a process of their own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from tests.load.child import Child, commands
from tests.load.frames import CLOSE, PING, PONG, TEXT, FrameReader, masked, opening

__all__ = ["Heard", "Sockets"]

PATH = "/connection/websocket"
AT_ONCE = 32
ANSWER_SECONDS = 20
TRIES = 5


@dataclass
class Heard:
    """
    What all sockets together have heard since they were told to forget.

    Attributes:
        open: how many of them are open.
        counts, count_bytes: messages that told how many are there, and their bytes.
        changes: messages that told who came or went.
    """

    open: int = 0
    counts: int = 0
    count_bytes: int = 0
    changes: int = 0


class Sockets:
    """The process."""

    def __init__(
        self, urls: Sequence[str], origin: str, cookies: Sequence[str], channel: str
    ) -> None:
        """
        Args:
            urls: `http://host:port` of each gateway; the sockets take turns.
            origin: what their browsers send as Origin.
            cookies: the Cookie header of each.
            channel: where they will be.
        """
        self._child = Child(_gather, list(urls), origin, list(cookies), channel)

    def wait_until_connected(self, progress: Callable[[str], None]) -> None:
        """
        Wait until all are connected.

        Raises:
            RuntimeError: some could not be.
        """
        self._wait(progress, "connected")

    def subscribe(self, progress: Callable[[str], None]) -> None:
        """Have all come to the channel; raises as above."""
        self._child.ask("subscribe")
        self._wait(progress, "subscribed")

    def forget(self) -> None:
        """Count what is heard from now on."""
        self._child.ask("forget")

    def heard(self) -> Heard:
        heard: Heard = self._child.ask("report")
        return heard

    def end(self) -> None:
        self._child.end()

    def _wait(self, progress: Callable[[str], None], what: str) -> None:
        while (told := self._child.hear(120)) != what:
            if isinstance(told, Exception):
                raise RuntimeError(f"Not all were {what}: {told!r}.")
            progress(f"{told:,} {what}")


class _Socket(asyncio.Protocol):
    """One of them."""

    __slots__ = ("_answers", "_is_open", "_reader", "_response", "heard", "wire")

    def __init__(self, heard: Heard) -> None:
        self.heard = heard
        self._response: bytearray | None = bytearray()
        self._reader = FrameReader()
        self._is_open = False
        # By the number of the command; 0 is the handshake.
        self._answers: dict[int, asyncio.Future[None]] = {}

    async def open(self, request: bytes) -> None:
        """Shake hands, and say that one is there."""
        answer = self._answer(0)
        self.wire.write(request)
        await answer
        await self.say(1, b'"connect":{}')
        self._is_open = True
        self.heard.open += 1

    async def say(self, number: int, command: bytes) -> None:
        """Send a command; wait for the answer."""
        answer = self._answer(number)
        self.wire.write(masked(TEXT, b'{"id":%d,%s}' % (number, command)))
        async with asyncio.timeout(ANSWER_SECONDS):
            await answer

    def _answer(self, number: int) -> asyncio.Future[None]:
        self._answers[number] = asyncio.get_running_loop().create_future()
        return self._answers[number]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.wire = transport

    def data_received(self, data: bytes) -> None:
        if self._response is not None:
            self._response += data
            head, end, rest = self._response.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self.wire.abort()
                return
            self._answers.pop(0).set_result(None)
            self._response, data = None, bytes(rest)
        for opcode, payload in self._reader.feed(data):
            self._take(opcode, payload)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.wire.write(masked(PONG, payload))
        elif opcode == CLOSE:
            self.wire.close()
        elif opcode == TEXT:
            for message in payload.split(b"\n"):
                self._hear(message)

    def _hear(self, message: bytes) -> None:
        if message == b"{}":
            self.wire.write(masked(TEXT, b"{}"))
        elif message.startswith(b'{"id":'):
            number = int(message[6 : message.index(b",")])
            answer = self._answers.pop(number)
            if b'"error":' in message:
                answer.set_exception(ConnectionError(message.decode()))
            else:
                answer.set_result(None)
        elif b'"num_clients":' in message:
            self.heard.counts += 1
            self.heard.count_bytes += len(message)
        elif b'"join":' in message or b'"leave":' in message:
            self.heard.changes += 1

    def connection_lost(self, error: Exception | None) -> None:
        self.heard.open -= self._is_open
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("closed before it was answered"))


async def _gather(
    pipe: Connection, urls: list[str], origin: str, cookies: list[str], channel: str
) -> None:
    """Be the process: open all sockets, then do what is asked."""
    asked = commands(pipe)
    heard = Heard()
    sockets: list[_Socket] = []

    async def connect(url: str, cookie: str) -> None:
        sockets.append(await _connected(url, {"Origin": origin, "Cookie": cookie}, heard))

    pairs = zip(itertools.cycle(urls), cookies, strict=False)
    await _all(pipe, [partial(connect, url, cookie) for url, cookie in pairs], "connected")
    subscribe = b'"subscribe":{"channel":"%s","join_leave":true}' % channel.encode()
    while True:
        match await asked.get():
            case "subscribe":
                pipe.send(None)
                says = [partial(socket.say, 2, subscribe) for socket in sockets]
                await _all(pipe, says, "subscribed")
            case "forget":
                heard.counts = heard.count_bytes = heard.changes = 0
                pipe.send(None)
            case _:
                pipe.send(heard)


async def _all(pipe: Connection, steps: Sequence[Callable[[], Awaitable[None]]], done: str) -> None:
    """Do many things, some at a time; tell how far it is, and what it ended with."""
    slots = asyncio.Semaphore(AT_ONCE)
    count = itertools.count(1)

    async def do(step: Callable[[], Awaitable[None]]) -> None:
        async with slots:
            await step()
        if (number := next(count)) % 1_000 == 0 and number < len(steps):
            pipe.send(number)

    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(do(step))
    except ExceptionGroup as errors:
        pipe.send(errors.exceptions[0])
        raise
    pipe.send(done)


async def _connected(url: str, headers: dict[str, str], heard: Heard) -> _Socket:
    """Open one socket; gateways refuse handshakes that are too many, so try again."""
    place = urlsplit(url)
    assert place.hostname is not None, "the stack's addresses are complete"
    for attempt in range(1, TRIES + 1):
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                _, socket = await asyncio.get_running_loop().create_connection(
                    partial(_Socket, heard), place.hostname, place.port or 80
                )
                await socket.open(opening(place.netloc, PATH, headers))
        except (OSError, TimeoutError):
            if attempt == TRIES:
                raise
            await asyncio.sleep(attempt)
        else:
            return socket
    raise AssertionError("the last attempt returns or raises")
