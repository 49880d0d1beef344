"""
Standing members: parts of the gateway itself that hear a channel for as long as it runs.

Such a channel is a stream like any other. So what is said there comes by bell at once, by head
check where no bell comes, and where the stream cannot be continued its member is told.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.hub import Verdict
from services.gateway.repair import Repair
from shared.realtime import streams

__all__ = ["StandingMember"]

_RETRY_SECONDS = 1.0


class StandingMember(ABC):
    """A member of one channel's group that is no connection."""

    channel: str

    def __init__(self, repair: Repair, database: DatabaseThreads) -> None:
        self._repair = repair
        self._database = database

    @abstractmethod
    def take(self, message: dict[str, Any]) -> None:
        """Take the data of a publication; never wait, never raise."""

    @abstractmethod
    def lose_place(self) -> None:
        """Be told that publications may have passed unheard."""

    def begin(self) -> None:
        """
        Be told that the channel is heard from now on; called again where it had to begin anew.

        Whoever came before the stream was read may have been too early for what it says.
        """
        self.lose_place()

    async def attend(self) -> None:
        """Hear the channel, for ever."""
        hub = self._repair.hub
        live = hub.open(self.channel)
        hub.join(live, self)
        try:
            while live.position is None:
                try:
                    head = await self._database.run(streams.touch, self.channel)
                except DatabaseAway:
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    if not live.start(head.stream_id, head.position):
                        self._repair.on_gap(live, Verdict.EARLY)
            self.begin()
            await asyncio.Event().wait()
        finally:
            hub.leave(live, self)

    @property
    def wire(self) -> None:
        return None

    def send_catch_up(self, frames: Sequence[str]) -> None:
        for frame in frames:
            self.send(frame)

    def send(self, frame: str) -> None:
        """Take a frame of the stream, as its other members would."""
        message = json.loads(frame)
        if message.get("type") == "reset":
            self.lose_place()
        else:
            self.take(message)
