"""A client's heartbeat: the protocol's own pings, and what happens when no pong comes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from django.conf import settings

from services.gateway.centrifuge import replies
from services.gateway.centrifuge.commands import PONG
from services.gateway.closecodes import CloseCode
from services.gateway.transport.frames import text_frame
from shared.telemetry import metrics

if TYPE_CHECKING:
    from services.gateway.transport.protocol import GatewayProtocol

__all__ = ["Heart", "TimerHeart", "WireHeart"]


class Heart(Protocol):
    """Pings from now on, until it is stopped."""

    def take_pong(self) -> bool:
        """Be told of a pong; return whether there was a ping to answer."""

    def stop(self) -> None:
        """Ping no longer; twice is once."""


class WireHeart:
    """On our own server, whose clock pings everybody: in the protocol's words instead of RFC's."""

    def __init__(self, wire: GatewayProtocol) -> None:
        self._wire = wire
        wire.ping_message = text_frame(replies.PING.encode())
        wire.pong_message = PONG.encode()

    def take_pong(self) -> bool:
        return self._wire.take_pong()

    def stop(self) -> None:
        pass


class Patient(Protocol):
    """What a timer needs of a client."""

    def say(self, text: str) -> None:
        """Send a message."""

    def end(self, code: CloseCode) -> None:
        """Close the connection."""

    @property
    def is_behind(self) -> bool:
        """Whether a pong may be where it cannot be heard yet."""


class TimerHeart:
    """Elsewhere, by a timer of its own: the first ping is early, so that they spread."""

    def __init__(self, client: Patient) -> None:
        self._client = client
        self._pinged_at: float | None = None
        every = settings.CARILLON_GATEWAY_PING_SECONDS
        # Nothing is to be kept secret.
        first = every * random.uniform(0.5, 1)  # noqa: S311
        self._timer = asyncio.get_running_loop().call_later(first, self._ping)

    def take_pong(self) -> bool:
        if self._pinged_at is None:
            return False
        metrics.PING_RTT.observe(time.monotonic() - self._pinged_at)
        self._pinged_at = None
        self._wait(settings.CARILLON_GATEWAY_PING_SECONDS, self._ping)
        return True

    def stop(self) -> None:
        self._timer.cancel()

    def _ping(self) -> None:
        self._pinged_at = time.monotonic()
        self._client.say(replies.PING)
        self._wait(settings.CARILLON_GATEWAY_PONG_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._client.is_behind:
            self._wait(settings.CARILLON_GATEWAY_PONG_SECONDS, self._give_up)
        else:
            self._client.end(CloseCode.NO_PONG)

    def _wait(self, seconds: float, act: Callable[[], None]) -> None:
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, act)
