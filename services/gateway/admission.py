"""
Admission: how many clients are let in at the same time.

After an outage thousands come at once. Were all let in together, each would be slow; and whoever
waits some seconds for its first answer gives up and comes again, so that a gateway which is too
slow for the crowd would work for those alone who have gone already. So a crowd is let in a few at
a time, in the order in which they came. The others wait for the answer to their handshake, which
costs nothing, and are told to come again where that takes too long.
"""

from __future__ import annotations

import asyncio

__all__ = ["Admission", "Full", "Turn"]

# Enough for the database to have always something to do, and few enough to be through in two
# seconds where there is a tenth of a processor for all of it.
_AT_ONCE = 128
# Whoever has not said anything by then keeps nobody waiting.
_SILENT_SECONDS = 0.5
# Whoever's first frame takes longer is slow itself, or everything is. Libraries give up then.
_LONGEST_SECONDS = 5.0
# How often the event loop goes round, at least, before somebody counts as silent: where it is slow,
# what they have said is still to be read.
_ROUNDS = 5
# Less than a handshake may take.
_PATIENT_SECONDS = 8.0


class Full(Exception):
    """It is still not one's turn after some seconds; soon it may be."""


class Turn:
    """
    One client's, from the answer to its handshake to that to its first frame.

    It ends before that where the client is waited for, or where it takes some seconds: nobody
    keeps others at the door by being slow.
    """

    def __init__(self, places: asyncio.Semaphore, silent_seconds: float) -> None:
        """Take the places, of which it has one; it may keep it so long without a word."""
        self._places: asyncio.Semaphore | None = places
        self._rounds = _ROUNDS
        self._loop = asyncio.get_running_loop()
        self._silence: asyncio.Handle = self._loop.call_later(silent_seconds, self._wait_on)

    def speak(self) -> None:
        """Note that its first frame is here: what follows takes as long as it takes."""
        self._silence.cancel()
        if self._places is not None:
            self._silence = self._loop.call_later(_LONGEST_SECONDS, self.end)

    def _wait_on(self) -> None:
        self._rounds -= 1
        self._silence = self._loop.call_soon(self._wait_on if self._rounds else self.end)

    def end(self) -> None:
        """Let the next one in; twice is once."""
        self._silence.cancel()
        if self._places is not None:
            self._places.release()
            self._places = None


class Admission:
    """The door of a gateway."""

    def __init__(
        self,
        at_once: int = _AT_ONCE,
        *,
        silent_seconds: float = _SILENT_SECONDS,
        patient_seconds: float = _PATIENT_SECONDS,
    ) -> None:
        """
        Begin with nobody.

        Args:
            at_once: how many have a turn at the same time.
            silent_seconds: how long one lasts without a word.
            patient_seconds: how long one is waited for.
        """
        self._places = asyncio.Semaphore(at_once)
        self._silent_seconds = silent_seconds
        self._patient_seconds = patient_seconds

    async def turn(self) -> Turn:
        """
        Wait until it is one's turn; whoever has it ends it.

        Raises:
            Full: that takes too long.
        """
        try:
            async with asyncio.timeout(self._patient_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise Full from error
        return Turn(self._places, self._silent_seconds)
