"""
Logins: whether what connections were opened with still counts, asked now and then.

Whoever signs out, has a new password or loses a key is told to all gateways at once, by controls.
This finds what has ended without a word: sessions that expired, that a statement of somebody's own
has deleted, or whose key an app has changed; and what a process that died, or a hook that failed,
has not told anymore.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.revocations import Revocations
from shared.accounts.logins import Ended, Login, accounts_among, ended_among

__all__ = ["Logins"]

logger = logging.getLogger(__name__)

_ROUND_SECONDS = 10.0
# A question for some users each second, rather than one for all that keeps the loop and a thread.
_PARTS = 10


class Logins:
    """Asks again about the logins of all that are connected, in a round of some seconds."""

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
        found = [
            (connection, login, (user_id, login))
            for user_id, connection in self._revocations.share(part, _PARTS)
            if (login := connection.login) is not None
        ]
        if not found:
            return
        ended = await self._database.run(_ended, [comer for _, _, comer in found])
        lost = [
            connection
            for (connection, login, _), end in zip(found, ended, strict=True)
            # It may go on with another one since.
            if end is not None and connection.login is login
        ]
        for connection in lost:
            # Where its browser has a new session, it comes back with that; where there is none, it
            # is told so.
            connection.end(CloseCode.FORCE_RECONNECT)
        if lost:
            words = "%d connections are to come back: what they came with has ended."
            logger.info(words, len(lost))


def _ended(comers: Sequence[tuple[int, Login]]) -> list[Ended | None]:
    return ended_among(comers, accounts_among({user_id for user_id, _ in comers}))
