"""Clients of PyPI's `centrifuge-python`, in the test's own event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, ClassVar

import centrifuge
from centrifuge.exceptions import (
    ClientDisconnectedError,
    OperationTimeoutError,
    ReplyError,
    UnauthorizedError,
)

from tests.sdk.client import CommandFailed, Event, History, Position, SdkClient, TokenSource

__all__ = ["PyClient"]

# What the SDK numbers its own errors by.
_TIMEOUT = 1
_DISCONNECTED = 3

_OF_THE_CONNECTION = ("connecting", "connected", "disconnected", "error")
_OF_CHANNELS = ("subscribing", "subscribed", "unsubscribed", "publication", "join", "leave")


class PyClient(SdkClient):
    """A client, and its handlers, which only write down what they are told."""

    sdk: ClassVar[str] = "py"

    async def create(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        token: str = "",
        get_token: TokenSource | None = None,
        data: Any = None,
    ) -> None:
        self._client = centrifuge.Client(
            url,
            events=self._handlers(centrifuge.ClientEventHandler(), "", _OF_CHANNELS),
            token=token,
            get_token=_asking(get_token),
            data=data,
            headers=dict(headers or {}),
            # Nothing of the machine's own may stand between.
            proxy=None,
        )

    async def connect(self) -> None:
        await self._client.connect()

    async def disconnect(self) -> None:
        await self._client.disconnect()

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
        subscription = self._client.get_subscription(channel)
        if subscription is None:
            handlers = centrifuge.SubscriptionEventHandler()
            ask = _asking(get_token)
            subscription = self._client.new_subscription(
                channel,
                events=self._handlers(handlers, channel, ("error", *_OF_CHANNELS)),
                token=token,
                get_token=(lambda channel: ask()) if ask else None,
                data=data,
                positioned=positioned,
                recoverable=recoverable,
                join_leave=join_leave,
            )
        await subscription.subscribe()

    async def unsubscribe(self, channel: str) -> None:
        subscription = self._client.get_subscription(channel)
        assert subscription is not None, f"{self.name} never subscribed to {channel}"
        await subscription.unsubscribe()

    async def publish(self, channel: str, data: Any) -> None:
        await _outcome(self._client.publish(channel, data))

    async def history(
        self,
        channel: str,
        *,
        limit: int = 0,
        since: Position | None = None,
        reverse: bool = False,
    ) -> History:
        place = centrifuge.StreamPosition(since.offset, since.epoch) if since else None
        page = await _outcome(
            self._client.history(channel, limit=limit, since=place, reverse=reverse)
        )
        publications = [_publication(each) for each in page.publications]
        return History(publications, Position(page.offset, page.epoch))

    async def presence(self, channel: str) -> dict[str, Event]:
        result = await _outcome(self._client.presence(channel))
        return {client: asdict(info) for client, info in result.clients.items()}

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        stats = await _outcome(self._client.presence_stats(channel))
        return stats.num_clients, stats.num_users

    async def rpc(self, method: str, data: Any) -> Any:
        return (await _outcome(self._client.rpc(method, data))).data

    async def close(self) -> None:
        await self.disconnect()

    def _handlers(self, handlers: Any, channel: str, more: tuple[str, ...]) -> Any:
        kinds = more if channel else (*_OF_THE_CONNECTION, *more)
        for kind in kinds:
            setattr(handlers, f"on_{kind}", self._handler(kind, channel))
        return handlers

    def _handler(self, kind: str, channel: str) -> Callable[[Any], Awaitable[None]]:
        async def handle(context: Any) -> None:
            where = {"channel": channel or getattr(context, "channel", "")}
            if kind in _OF_CHANNELS and not channel:
                where["server_side"] = True
            await self._add({"event": kind, **where, **_told(kind, context)})

        return handle


def _told(kind: str, context: Any) -> Event:
    match kind:
        case "connected":
            return {"client_id": context.client, "data": context.data}
        case "publication":
            return _publication(context.pub)
        case "join" | "leave":
            return {"info": asdict(context.info)}
        case "error":
            error = context.error
            code = getattr(error, "code", context.code)
            return {"type": type(error).__name__, "code": code, "message": str(error)}
        case "subscribed":
            place = context.stream_position
            return {
                "recoverable": context.recoverable,
                "positioned": context.positioned,
                "was_recovering": context.was_recovering,
                "recovered": context.recovered,
                "position": asdict(place) if place else None,
                "data": context.data,
            }
        case _:
            # Server-side subscriptions come and go without a code.
            return {name: getattr(context, name, None) for name in ("code", "reason")}


def _publication(publication: centrifuge.Publication) -> Event:
    told = asdict(publication)
    del told["delta"]
    return told


def _asking(source: TokenSource | None) -> Callable[[], Awaitable[str]] | None:
    if source is None:
        return None

    async def ask() -> str:
        token = await source()
        if token is None:
            raise UnauthorizedError
        return token

    return ask


async def _outcome[R](call: Awaitable[R]) -> R:
    """Return a call's result; what fails fails as with every SDK."""
    try:
        return await call
    except ReplyError as error:
        raise CommandFailed(error.code, error.message, error.temporary) from error
    except OperationTimeoutError as error:
        raise CommandFailed(_TIMEOUT, str(error)) from error
    except ClientDisconnectedError as error:
        raise CommandFailed(_DISCONNECTED, str(error)) from error
