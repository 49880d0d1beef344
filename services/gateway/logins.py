"""
Logins: whether what connections were opened with still counts, asked now and then.

Whoever signs out, has a new password or loses a key is told to all gateways at once, by controls.
This finds what has ended without a word: sessions that expired, that a statement of somebody's own
has deleted, or whose key an app has changed; and what a process that died has not told anymore.

What has ended is asked again after some seconds. By then a control has come, which says why, also
where no bell rings; and a database that is being restored, whose tables are empty for a moment, has
its sessions back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.rechecks import Revocable
from services.gateway.revocations import Revocations
from shared.accounts.logins import Ended, Login, accounts_among, ended_among

__all__ = ["Logins"]

logger = logging.getLogger(__name__)

_ROUND_SECONDS = 10.0
# A question for some users each second, rather than one for all that keeps the loop and a thread.
_PARTS = 10
# Longer than a head check takes.
_GRACE_SECONDS = 5.0


class _Suspect(NamedTuple):
    """Whose login seemed to have ended, and when that is asked again."""

    user_id: int
    login: Login
    due: float


class Logins:
    """Asks again about the logins of all that are connected, in a round of some seconds."""

    def __init__(self, database: DatabaseThreads, revocations: Revocations) -> None:
        """Take where to ask, and who knows the connections."""
        self._database = database
        self._revocations = revocations
        self._suspects: dict[Revocable, _Suspect] = {}

    async def run(self) -> None:
        """Ask, for ever."""
        while True:
            for part in range(_PARTS):
                await asyncio.sleep(_ROUND_SECONDS / _PARTS)
                # Without an answer they stay; the next round asks again.
                with contextlib.suppress(DatabaseAway):
                    await self._ask(part)

    async def _ask(self, part: int) -> None:
        now = time.monotonic()
        comers = {
            connection: (user_id, login)
            for user_id, connection in self._revocations.share(part, _PARTS)
            if (login := connection.login) is not None and connection not in self._suspects
        }
        again = {each: suspect for each, suspect in self._suspects.items() if suspect.due <= now}
        comers |= {each: (suspect.user_id, suspect.login) for each, suspect in again.items()}
        if not comers:
            return
        ended = await self._database.run(_ended, list(comers.values()))
        num_lost = 0
        for (connection, (user_id, login)), end in zip(comers.items(), ended, strict=True):
            if end is None or connection.login is not login:
                # That it goes on with another one since is the next round's matter.
                self._suspects.pop(connection, None)
            elif connection in again:
                del self._suspects[connection]
                # Where its browser has a new session, it comes back with that; where there is
                # none, it is told so.
                connection.end(CloseCode.FORCE_RECONNECT)
                num_lost += 1
            else:
                self._suspects[connection] = _Suspect(user_id, login, now + _GRACE_SECONDS)
        if num_lost:
            logger.info("%d connections ended: what they came with has.", num_lost)


def _ended(comers: Sequence[tuple[int, Login]]) -> list[Ended | None]:
    return ended_among(comers, accounts_among({user_id for user_id, _ in comers}))
