"""
Sessions: whether those that connections were opened with are still there, asked now and then.

Whoever signs out, or has another password, is told to all gateways at once, by controls. This finds
sessions that have ended without a word: that expired, that a statement of somebody's own has
deleted, or whose key an app has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict

from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.rechecks import Revocable
from services.gateway.revocations import Revocations
from shared.accounts.logins import sessions_among

__all__ = ["Sessions"]

logger = logging.getLogger(__name__)

_ROUND_SECONDS = 10.0
# A question for some users each second, rather than one for all that keeps the loop and a thread.
_PARTS = 10


class Sessions:
    """Asks again about the sessions of all that are connected, in a round of some seconds."""

    def __init__(self, database: DatabaseThreads, revocations: Revocations) -> None:
        """Take where to ask, and who knows the connections."""
        self._database = database
        self._revocations = revocations

    async def run(self) -> None:
        """Ask, for ever."""
        while True:
            for part in range(_PARTS):
                await asyncio.sleep(_ROUND_SECONDS / _PARTS)
                # Without an answer they stay; the next round asks again.
                with contextlib.suppress(DatabaseAway):
                    await self._ask(part)

    async def _ask(self, part: int) -> None:
        connections: defaultdict[str, list[Revocable]] = defaultdict(list)
        for connection in self._revocations.share(part, _PARTS):
            if key := connection.session_key:
                connections[key].append(connection)
        if not connections:
            return
        there = await self._database.run(sessions_among, [*connections])
        lost = connections.keys() - there
        if lost:
            logger.info("%d sessions are gone: their connections are to come back.", len(lost))
        for key in lost:
            for connection in connections[key]:
                # It may go on with another session since.
                if connection.session_key == key:
                    # Where its browser has a new session, it comes back with that; where there is
                    # none, the handshake says so.
                    connection.end(CloseCode.FORCE_RECONNECT)
