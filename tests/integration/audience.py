"""A room full of people whose pages come back when they are sent away, as browsers do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from tests.load.frames import CLOSE, PING, PONG, TEXT, FrameReader, masked, opening
from tests.servers import RunningStack

__all__ = ["Ending", "Listener", "open_audience", "sign_in_many", "until"]

AT_ONCE = 32
HANDSHAKE_SECONDS = 15
# The pages' own: the first pause of `backoff.ts`.
RETURN_SECONDS = 0.5

SIGN_IN = """
import json
from shared.accounts.models import User
from tests.load.people import sign_in
made = User.objects.bulk_create([User(username=f"{prefix}-{{n}}") for n in range({count})])
print(json.dumps(sign_in([user.pk for user in made])))
"""


class _Position(msgspec.Struct):
    epoch: str
    offset: int


class _Frame(msgspec.Struct):
    type: str
    epoch: str = ""
    offset: int = 0
    positions: dict[str, _Position] = {}


_decode = msgspec.json.Decoder(_Frame).decode


@dataclass(frozen=True)
class Ending:
    """How a socket ended: the code is None for a bare end of the stream."""

    at: float
    code: int | None
    reason: str = ""


class Listener(asyncio.Protocol):
    """
    One person's page, over all its sockets.

    Attributes:
        begin: the offset of the first greeting; everything after it is to be heard.
        offsets: of what was heard, in the order in which it came.
        endings: of its sockets, in order.
        others: types of frames that a listener does not expect, such as a reset.
        refusals: status lines of handshakes that were refused.
        refuge: where to come back to; None to stay away.
    """

    def __init__(self, room: str, origin: str, cookie: str) -> None:
        self.room = room
        self.headers = {"Origin": origin, "Cookie": cookie}
        self.begin: int | None = None
        self.epoch = ""
        self.offsets: list[int] = []
        self.endings: list[Ending] = []
        self.others: list[str] = []
        self.refusals: list[str] = []
        self.refuge: str | None = None
        self.is_open = False
        self._response: bytearray | None = None
        self._reader = FrameReader()
        self._ending: Ending | None = None
        self._greeted: asyncio.Future[None] | None = None
        self._return: asyncio.Task[None] | None = None

    async def connect(self, url: str) -> None:
        """Open a socket at a gateway or at nginx, from where the last one stood."""
        place = urlsplit(url)
        assert place.hostname is not None, "the stack's addresses are complete"
        path = f"/ws/chat/{self.room}/"
        if self.begin is not None:
            path += f"?since={self.epoch}.{self.offsets[-1] if self.offsets else self.begin}"
        self._response, self._reader, self._ending = bytearray(), FrameReader(), None
        self._greeted = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            wire, _ = await asyncio.get_running_loop().create_connection(
                lambda: self, place.hostname, place.port or 80
            )
            wire.write(opening(place.netloc, path, self.headers))
            await self._greeted

    def leave(self) -> None:
        """Go away for good."""
        self.refuge = None
        if self._return is not None:
            self._return.cancel()
        if self.is_open:
            self._wire.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport

    def data_received(self, data: bytes) -> None:
        if self._response is not None:
            self._response += data
            head, end, rest = self._response.partition(b"\r\n\r\n")
            if not end:
                return
            status = head.partition(b"\r\n")[0].decode("latin-1")
            if not status.startswith("HTTP/1.1 101 "):
                self.refusals.append(status)
                self._wire.abort()
                return
            self._response, data = None, bytes(rest)
        for opcode, payload in self._reader.feed(data):
            self._take(opcode, payload)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            frame = _decode(payload)
            if frame.type == "chat":
                self.offsets.append(frame.offset)
            elif frame.type == "connection_established":
                self._greet(frame)
            else:
                self.others.append(frame.type)
        elif opcode == PING:
            self._wire.write(masked(PONG, payload))
        elif opcode == CLOSE:
            code, reason = int.from_bytes(payload[:2]), payload[2:].decode()
            self._ending = Ending(time.monotonic(), code, reason)
            # The server is the one to end the connection then.
            self._wire.write(masked(CLOSE, payload[:2]))

    def _greet(self, frame: _Frame) -> None:
        self.is_open = True
        position = frame.positions[f"chat:{self.room}"]
        if self.begin is None:
            self.begin, self.epoch = position.offset, position.epoch
        if self._greeted is not None and not self._greeted.done():
            self._greeted.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if self._greeted is not None and not self._greeted.done():
            self._greeted.set_exception(ConnectionError("closed before the greeting"))
            return
        self.is_open = False
        self.endings.append(self._ending or Ending(time.monotonic(), None))
        if self.refuge is not None:
            self._return = asyncio.get_running_loop().create_task(self._come_back(self.refuge))

    async def _come_back(self, url: str) -> None:
        pause = RETURN_SECONDS
        while True:
            await asyncio.sleep(random.uniform(0, pause))
            try:
                await self.connect(url)
            except (OSError, TimeoutError):
                pause *= 2
            else:
                return


def sign_in_many(stack: RunningStack, prefix: str, count: int) -> list[str]:
    """Make users with sessions; return their Cookie headers."""
    code = SIGN_IN.format(prefix=prefix, count=count)
    cookies: list[str] = json.loads(stack.manage("shell", "--verbosity", "0", "--command", code))
    return cookies


@contextlib.asynccontextmanager
async def open_audience(
    url: str, room: str, origin: str, cookies: Sequence[str]
) -> AsyncIterator[list[Listener]]:
    """Open a socket for each cookie at one gateway; they leave at the end of the block."""
    listeners = [Listener(room, origin, cookie) for cookie in cookies]
    slots = asyncio.Semaphore(AT_ONCE)

    async def enter(listener: Listener) -> None:
        async with slots:
            await listener.connect(url)

    try:
        async with asyncio.TaskGroup() as group:
            for listener in listeners:
                group.create_task(enter(listener))
        yield listeners
    finally:
        for listener in listeners:
            listener.leave()
        await until(lambda: not any(listener.is_open for listener in listeners), 5)


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - of another process, or of many sockets
            await asyncio.sleep(0.05)
