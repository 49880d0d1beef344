"""Dismissals: connections that are to come back anew, ended a few at a time."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable
from itertools import islice

from django.conf import settings

from services.gateway.closecodes import CloseCode
from services.gateway.rechecks import Revocable

__all__ = ["Dismissals"]

logger = logging.getLogger(__name__)

_STEP_SECONDS = 0.05
# Few need not be spread over the whole time.
_AT_ONCE = 3


class Dismissals:
    """
    Those that are to say again who they are and what they want to hear.

    They are told to come back, spread as the connections of a gateway that is drained.
    """

    def __init__(self) -> None:
        # In the order in which they go; one that has ended meanwhile goes once more, which changes
        # nothing.
        self._waiting: dict[Revocable, None] = {}
        self._at_once = _AT_ONCE
        self._is_due = asyncio.Event()

    def add(self, connections: Iterable[Revocable]) -> None:
        """Dismiss connections; never wait, never raise."""
        self._waiting |= dict.fromkeys(connections)
        steps = settings.CARILLON_GATEWAY_DRAIN_SECONDS / _STEP_SECONDS
        self._at_once = max(_AT_ONCE, math.ceil(len(self._waiting) / max(1.0, steps)))
        self._is_due.set()

    async def run(self) -> None:
        """Send them away, for ever."""
        while True:
            await self._is_due.wait()
            self._send_some_away()
            if self._waiting:
                await asyncio.sleep(_STEP_SECONDS)
            else:
                self._is_due.clear()

    def _send_some_away(self) -> None:
        for connection in list(islice(self._waiting, self._at_once)):
            del self._waiting[connection]
            try:
                connection.end(CloseCode.FORCE_RECONNECT)
            except Exception:
                # One that cannot be told must not keep the others here.
                logger.exception("A connection could not be ended.")
