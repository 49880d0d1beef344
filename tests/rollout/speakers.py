"""Clients that say something at a steady rate, whatever happens to their connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.rollout.crowd import Guest
from tests.sdk.client import CommandFailed

__all__ = ["Speaker", "speaking"]

AGAIN_SECONDS = 0.2
# For the last words; where no gateway comes back they would take for ever.
LAST_SECONDS = 60.0


class Speaker:
    """
    Has one client speak in its room.

    A message whose sender is not told that it is stored is sent again with its own id, as
    applications do.

    Attributes:
        is_over: set to make it stop; what it has begun to say it says.
        resent: how many messages needed more than one attempt.
    """

    def __init__(self, guest: Guest, *, first: float, pause: float) -> None:
        """
        Args:
            guest: who speaks.
            first: seconds until the first message.
            pause: seconds from one message to the next, however long it takes to say them.
        """
        self.is_over = False
        self.resent = 0
        self._guest = guest
        self._first, self._pause = first, pause

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._first
        while not self.is_over:
            # Seconds at most, so that it ends soon when it is told to.
            await asyncio.sleep(max(0.0, min(0.5, due - loop.time())))
            if loop.time() >= due:
                due += self._pause
                await self._say()

    async def _say(self) -> None:
        room = self._guest.room
        words = room.words()
        attempts = 1
        while not await self._try(words):
            attempts += 1
        self.resent += attempts > 1
        room.acked.append(words["client_id"])

    async def _try(self, words: dict[str, str]) -> bool:
        try:
            await self._guest.client.publish(self._guest.room.channel, words)
        except CommandFailed as failed:
            # Below 100 it is the SDK that speaks: no connection, or no answer.
            if failed.code >= 100 and not failed.temporary:
                raise
            await asyncio.sleep(AGAIN_SECONDS)
            return False
        return True


@asynccontextmanager
async def speaking(guests: Sequence[Guest], per_second: float) -> AsyncIterator[list[Speaker]]:
    """Have everybody speak until the end of the block, so many messages a second in all."""
    pause = len(guests) / per_second
    speakers = [
        Speaker(guest, first=number / per_second, pause=pause)
        for number, guest in enumerate(guests)
    ]
    tasks = [asyncio.create_task(speaker.run()) for speaker in speakers]
    try:
        yield speakers
    finally:
        for speaker in speakers:
            speaker.is_over = True
        async with asyncio.timeout(LAST_SECONDS):
            await asyncio.gather(*tasks)
