"""Clients that say something at a steady rate, whatever happens to their connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.rollout.crowd import Guest
from tests.sdk.client import has_published

__all__ = ["Speaker", "speaking"]

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
        while not await has_published(self._guest.client, self._guest.room.channel, words):
            attempts += 1
        self.resent += attempts > 1
        room.acked.append(words["client_id"])


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
