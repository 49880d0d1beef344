"""
People who speak over the Centrifuge protocol, and one who listens, in a process of their own.

Each has a connection, and says the next thing when the last one was acknowledged, but no more than
a gateway lets one connection say.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from services.gateway.limits import MESSAGES_PER_SECOND
from tests.load.child import Child, commands
from tests.load.figures import percentile
from tests.load.frames import CLOSE, PING, PONG, TEXT, FrameReader, masked, opening

__all__ = ["Said", "Talkers"]

PATH = "/connection/websocket"
HANDSHAKE_SECONDS = 20
# For what is under way when the time is over.
ARRIVE_SECONDS = 10
# So that a clock that runs differently does not make it one too many.
OWN_PER_SECOND = MESSAGES_PER_SECOND * 0.95
CHARACTERS = 100


@dataclass(frozen=True)
class Said:
    """
    What came of a talk.

    Attributes:
        sent: messages.
        acked: those that were acknowledged.
        refused: those that were turned down.
        seconds: from the first message until the last acknowledgement.
        p50_ms: of the time from when a message was due until it was acknowledged.
        p99_ms: likewise.
        max_ms: likewise.
        heard: publications that the listener got.
        disordered: those that did not follow the one before.
    """

    sent: int
    acked: int
    refused: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    heard: int
    disordered: int


class Talkers:
    """The process with all of them."""

    def __init__(self, url: str, origin: str, cookies: Sequence[str], rooms: Sequence[str]) -> None:
        """
        Args:
            url: `http://host:port` of the gateway.
            origin: what their browsers send as Origin.
            cookies: the Cookie header of each; the first one listens, in the first room.
            rooms: where they speak; each is in one of them.
        """
        self._child = Child(gather, url, origin, list(cookies), list(rooms))
        self._child.hear(60)

    def talk(self, seconds: float, per_second: float | None = None) -> Said:
        """Let them speak for so long: as fast as it goes, or so often all together."""
        said: Said = self._child.ask(f"{seconds} {per_second or 0}", seconds + 60)
        return said

    def end(self) -> None:
        self._child.end()


class Talker(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, first: str, room: str, name: str) -> None:
        self._request = request
        self._first = first
        self._response: bytearray | None = bytearray()
        self._reader = FrameReader()
        self._room, self._name = room, name
        self._number = 0
        # When those were due that are not answered yet, in their order.
        self._due: deque[float] = deque()
        self._answered = asyncio.Event()
        self._is_greeted = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.refused = 0
        self.last_ack = 0.0
        self.heard = self.disordered = self._offset = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._response is not None:
            self._response += data
            head, end, rest = self._response.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self._fail(head.partition(b"\r\n")[0].decode("latin-1"))
                return
            self._response, data = None, bytes(rest)
            self._wire.write(text_frame(self._first))
        for opcode, payload in self._reader.feed(data):
            if opcode == TEXT:
                for line in payload.splitlines():
                    self._take(json.loads(line))
            elif opcode == PING:
                self._wire.write(masked(PONG, payload))
            elif opcode == CLOSE:
                self._fail(f"closed: {payload!r}")

    def connection_lost(self, error: Exception | None) -> None:
        self._fail("lost")

    def _take(self, message: dict[str, object]) -> None:
        match message:
            case {"push": {"pub": {"offset": int(offset)}}}:
                self.disordered += offset != self._offset + 1 and self._offset > 0
                self._offset = offset
                self.heard += 1
            case {"id": int(), "connect": _} | {"id": int(), "subscribe": _}:
                if not self.ready.done() and ("subscribe" in message or self._is_alone):
                    self.ready.set_result(None)
            case {"id": int()} if self._due:
                due = self._due.popleft()
                self.last_ack = time.monotonic()
                if "error" in message:
                    self.refused += 1
                else:
                    self.latencies.append(self.last_ack - due)
                self._answered.set()
            case {"error": error}:
                self._fail(str(error))
            case _ if not message:
                self._wire.write(text_frame("{}"))

    @property
    def _is_alone(self) -> bool:
        return "subscribe" not in self._first

    def say(self, due: float) -> None:
        """Send a message that was due then."""
        self._number += 1
        data = {
            "message": f"{self._number} ".ljust(CHARACTERS, "x"),
            "client_id": f"{self._name}-{self._number}",
        }
        command = {"channel": f"chat:{self._room}", "data": data}
        self._due.append(due)
        self._wire.write(text_frame(json.dumps({"id": self._number + 10, "publish": command})))

    async def chat(self, until: float) -> int:
        """Say one thing after the other; return how many."""
        count = 0
        while (began := time.monotonic()) < until:
            self._answered.clear()
            self.say(began)
            count += 1
            await self.quiet()
            await asyncio.sleep(max(0.0, began + 1 / OWN_PER_SECOND - time.monotonic()))
        return count

    async def quiet(self) -> None:
        """Wait until all is answered."""
        while self._due:
            self._answered.clear()
            await self._answered.wait()

    def start_over(self) -> None:
        """Forget what was measured."""
        self.latencies = []
        self.refused = self.heard = self.disordered = 0

    def _fail(self, reason: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(reason))
        self._due.clear()
        self._answered.set()
        self._wire.abort()


async def gather(
    pipe: Connection, url: str, origin: str, cookies: list[str], rooms: list[str]
) -> None:
    """Be the process: connect all of them, then talk when told, and say how it went."""
    asked = commands(pipe)
    name = f"{time.time_ns():x}"
    everybody = [
        await connected(
            url, origin, cookie, rooms[index % len(rooms)], f"{name}-{index}", not index
        )
        for index, cookie in enumerate(cookies)
    ]
    listener, *talkers = everybody
    pipe.send("ready")
    while True:
        seconds, per_second = map(float, (await asked.get()).split())
        for each in everybody:
            each.start_over()
        began = time.monotonic()
        if per_second:
            sent = await on_schedule(talkers, began, seconds, per_second)
        else:
            sent = sum(await asyncio.gather(*[each.chat(began + seconds) for each in talkers]))
        async with asyncio.timeout(ARRIVE_SECONDS):
            await asyncio.gather(*[each.quiet() for each in talkers])
        # What was stored last is on its way to the listener, too.
        await asyncio.sleep(0.5)
        latencies = [1e3 * latency for each in talkers for latency in each.latencies]
        pipe.send(
            Said(
                sent=sent,
                acked=len(latencies),
                refused=sum(each.refused for each in talkers),
                seconds=max(each.last_ack for each in talkers) - began,
                p50_ms=percentile(latencies, 0.50),
                p99_ms=percentile(latencies, 0.99),
                max_ms=max(latencies, default=0.0),
                heard=listener.heard,
                disordered=listener.disordered,
            )
        )


async def on_schedule(
    talkers: Sequence[Talker], began: float, seconds: float, per_second: float
) -> int:
    """Have them take turns, whether or not the last one was answered; return how many spoke."""
    count = int(seconds * per_second)
    for number in range(count):
        due = began + number / per_second
        if (wait := due - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        talkers[number % len(talkers)].say(due)
    return count


async def connected(
    url: str, origin: str, cookie: str, room: str, name: str, is_listener: bool
) -> Talker:
    """Open a connection, and subscribe to the room with it where it is to listen."""
    place = urlsplit(url)
    assert place.hostname is not None, "the stack's addresses are complete"
    first = ['{"id":1,"connect":{}}']
    if is_listener:
        first.append(f'{{"id":2,"subscribe":{{"channel":"chat:{room}"}}}}')
    request = opening(place.netloc, PATH, {"Origin": origin, "Cookie": cookie})
    _, talker = await asyncio.get_running_loop().create_connection(
        partial(Talker, request, "\n".join(first), room, name), place.hostname, place.port or 80
    )
    async with asyncio.timeout(HANDSHAKE_SECONDS):
        await talker.ready
    return talker


def text_frame(text: str) -> bytes:
    """Return a text as a client's frame; its mask is zero, which changes nothing."""
    payload = text.encode()
    if len(payload) < 126:
        return masked(TEXT, payload)
    assert len(payload) < 65_536, "nobody here says so much"
    return b"\x81\xfe" + len(payload).to_bytes(2) + bytes(4) + payload
