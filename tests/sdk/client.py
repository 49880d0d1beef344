"""One interface to clients of every published SDK, so that each test runs over all of them."""

from __future__ import annotations

import abc
import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.client import Session

__all__ = [
    "CommandFailed",
    "Event",
    "History",
    "Position",
    "SdkClient",
    "TokenSource",
    "has_published",
    "websocket_url",
]

type Event = dict[str, Any]
# Asked for a token by an SDK; None says that there is none any more.
type TokenSource = Callable[[], Awaitable[str | None]]


_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a channel's stream."""

    offset: int
    epoch: str


@dataclass(frozen=True, slots=True)
class History:
    """A page of a channel's log, as an SDK hands it out."""

    publications: list[Event]
    position: Position


class CommandFailed(Exception):
    """
    A command that an SDK says has failed.

    Attributes:
        code: the server's from 100 on, the SDK's own below.
        message: what it says.
        temporary: whether the SDK takes it for worth another try.
    """

    def __init__(self, code: int, message: str, temporary: bool = False) -> None:
        self.code = code
        self.message = message
        self.temporary = temporary

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class SdkClient(abc.ABC):
    """
    A client of a published SDK that keeps everything the SDK tells.

    An event is a dictionary: `event` (`connecting`, `connected`, `disconnected`, `subscribing`,
    `subscribed`, `unsubscribed`, `publication`, `join`, `leave`, `message`, `error`), `channel`
    (empty for the connection), `at` (Unix seconds), `server_side` where the subscription is, and
    what the SDK says more, such as `code` and `reason`.

    Attributes:
        sdk: which SDK it is, for the names of tests.
        events: in the order in which the SDK told them.
    """

    sdk: ClassVar[str]

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[Event] = []
        self._changed = asyncio.Condition()

    # What a test does

    @abc.abstractmethod
    async def create(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        token: str = "",
        get_token: TokenSource | None = None,
        data: Any = None,
    ) -> None:
        """Make the SDK's client; `headers` are those of the WebSocket's handshake."""

    @abc.abstractmethod
    async def connect(self) -> None:
        """Have it connect; what becomes of that is told by events."""

    @abc.abstractmethod
    async def disconnect(self) -> None:
        """Have it leave."""

    @abc.abstractmethod
    async def subscribe(
        self,
        channel: str,
        *,
        token: str = "",
        get_token: TokenSource | None = None,
        data: Any = None,
        positioned: bool = False,
        recoverable: bool = False,
        join_leave: bool = False,
    ) -> None:
        """Have it subscribe, or subscribe again; what becomes of that is told by events."""

    @abc.abstractmethod
    async def unsubscribe(self, channel: str) -> None:
        """Have it leave a channel."""

    @abc.abstractmethod
    async def publish(self, channel: str, data: Any) -> None:
        """Publish and wait for the acknowledgement; raises `CommandFailed`."""

    @abc.abstractmethod
    async def history(
        self,
        channel: str,
        *,
        limit: int = 0,
        since: Position | None = None,
        reverse: bool = False,
    ) -> History:
        """Read a page of the log; raises `CommandFailed`."""

    @abc.abstractmethod
    async def presence(self, channel: str) -> dict[str, Event]:
        """Return who is there: `user`, `client`, `conn_info`, `chan_info` by client id."""

    @abc.abstractmethod
    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """Return how many clients, and how many users, are there."""

    @abc.abstractmethod
    async def rpc(self, method: str, data: Any) -> Any:
        """Call a method; raises `CommandFailed`."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Leave nothing behind."""

    # What a test sees

    def of(self, kind: str, channel: str | None = None) -> list[Event]:
        """Return the events of one kind, of one channel unless that is None."""
        return [
            event
            for event in self.events
            if event["event"] == kind and channel in {None, event["channel"]}
        ]

    async def wait_for(
        self, condition: Callable[[SdkClient], Any], within: float = 15, what: str = ""
    ) -> None:
        """Wait until something holds for this client; say what came instead."""
        try:
            async with asyncio.timeout(within), self._changed:
                await self._changed.wait_for(lambda: condition(self))
        except TimeoutError:
            told = "\n".join(str(event) for event in self.events[-20:])
            raise AssertionError(f"{self.name} ({self.sdk}) waited for {what}:\n{told}") from None

    async def next_of(
        self, kind: str, channel: str | None = None, *, number: int = 1, within: float = 15
    ) -> Event:
        """Wait for the first event of a kind, or for a later one, counted from the beginning."""
        what = f"{kind} {channel or ''} number {number}"
        await self.wait_for(lambda client: len(client.of(kind, channel)) >= number, within, what)
        return self.of(kind, channel)[number - 1]

    @property
    def client_id(self) -> str:
        """The id that the server gave to the newest connection."""
        found: str = self.of("connected")[-1]["client_id"]
        return found

    async def _add(self, event: Event) -> None:
        async with self._changed:
            self.events.append({"channel": "", **event, "at": time.time()})
            self._changed.notify_all()

    # Shorter ways

    async def enter(self, url: str, session: Session) -> None:
        """Connect as a browser does in which a person is signed in; return when connected."""
        await self.create(url, headers={"Cookie": session.cookie, "Origin": session.url})
        await self.connect()
        await self.next_of("connected")

    async def join(self, channel: str, **options: Any) -> Event:
        """Subscribe; return what the SDK says when it is done."""
        number = len(self.of("subscribed", channel)) + 1
        await self.subscribe(channel, **options)
        return await self.next_of("subscribed", channel, number=number)

    def heard(self, channel: str) -> list[Event]:
        """Return a channel's publications in the order in which they came."""
        return self.of("publication", channel)


def websocket_url(address: str) -> str:
    """Return the endpoint of the Centrifuge protocol at a gateway, at nginx or behind a cable."""
    return f"{address.replace('http', 'ws', 1)}/connection/websocket"


async def has_published(client: SdkClient, channel: str, data: Event) -> bool:
    """
    Try to publish once; say whether it was taken. If not, now is a good moment for another try.

    Raises:
        CommandFailed: the server has refused it for good.
    """
    try:
        await client.publish(channel, data)
    except CommandFailed as failed:
        # Below 100 it is the SDK that speaks: no connection, or no answer.
        if failed.code >= 100 and not failed.temporary:
            raise
        await asyncio.sleep(_AGAIN_SECONDS)
        return False
    return True
