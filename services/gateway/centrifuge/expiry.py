"""Credentials that end: when, and what happens to who does not bring new ones in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["LATE_SECONDS", "Expiry"]

# A client renews when the time is over, and needs a moment for it.
LATE_SECONDS = 25.0


class Expiry:
    """One time that can be moved, and taken back."""

    def __init__(self, when_over: Callable[[], None]) -> None:
        """Take what is to be done when it is over and nobody has moved it."""
        self._when_over = when_over
        self._timer: asyncio.TimerHandle | None = None

    def set(self, expire_at: float | None) -> int | None:
        """
        Set it to a time in seconds since 1970, or to none.

        Returns:
            How many seconds from now, as clients are told; None for no end.
        """
        self.stop()
        if expire_at is None:
            return None
        left = max(0.0, expire_at - time.time())
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(left + LATE_SECONDS, self._when_over)
        return int(left)

    def stop(self) -> None:
        """Never be over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
