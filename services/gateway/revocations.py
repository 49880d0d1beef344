"""
Revocations: who may not be signed in anymore loses their connections, on every gateway.

`revocations:all` is a stream like any other, and the gateway is a member of it for as long as it
runs. So a revocation comes by bell at once, by head check where no bell comes, and where the
stream cannot be continued, the database is asked about everybody who is here. So it is about those
who may have lost a permission: their account stays, and what they may not hear anymore ends. That
is asked until it is answered, in the order of `doubts`.

A connection is added here before its handshake reads whether its user is active. So at whatever
moment a revocation commits, either that read sees it, or it reaches the connection.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import chain
from typing import Any

from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.doubts import Doubts, Question
from services.gateway.rechecks import Revocable, recheck
from services.gateway.repair import Repair
from services.gateway.standing import StandingMember
from shared.accounts.namespaces import REVOCATIONS
from shared.telemetry import metrics

__all__ = ["Revocations"]

logger = logging.getLogger(__name__)


class Revocations(StandingMember):
    """Each user's connections here, and the member of `revocations:all` that ends them."""

    channel = REVOCATIONS

    def __init__(self, repair: Repair, database: DatabaseThreads) -> None:
        super().__init__(repair, database)
        # By user id, None for nobody's; those that are being opened included.
        self._connections: dict[int | None, set[Revocable]] = {}
        # Who may have lost a permission, or more if revocations have passed unheard.
        self._doubts = Doubts(self._heard_by)
        self._in_doubt = asyncio.Event()

    def add(self, user_id: int | None, connection: Revocable) -> None:
        """Have a connection ended when its user's login is revoked, from now on."""
        self._connections.setdefault(user_id, set()).add(connection)
        metrics.USERS.set(len(self._connections))

    def discard(self, user_id: int | None, connection: Revocable) -> None:
        """Forget a connection; one that is not here changes nothing."""
        others = self._connections.get(user_id)
        if others is None:
            return
        others.discard(connection)
        if not others:
            del self._connections[user_id]
            metrics.USERS.set(len(self._connections))

    def count(self, user_id: int | None) -> int:
        """Return how many connections a user has here."""
        return len(self._connections.get(user_id, ()))

    def of(self, user_id: int | None) -> Iterable[Revocable]:
        """Return a user's connections here; those of nobody for None."""
        return tuple(self._connections.get(user_id, ()))

    def everybody(self) -> Iterable[Revocable]:
        """Return all connections here."""
        return chain.from_iterable(self._connections.values())

    def share(self, part: int, parts: int) -> list[tuple[int, Revocable]]:
        """Return users whose turn it is with each connection: everybody has one among so many."""
        return [
            (user_id, connection)
            for user_id, connections in self._connections.items()
            if user_id is not None and user_id % parts == part
            for connection in connections
        ]

    async def run(self) -> None:
        """Serve the stream, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.attend())
            tasks.create_task(self._recheck())

    def take(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "revoked", "user": int(user_id), "code": int(code)} if code in CloseCode:
                self._end(user_id, CloseCode(code))
            case {"type": "recheck", "users": list(users)}:
                here = self._connections.keys()
                self._doubt(user for user in users if isinstance(user, int) and user in here)
            case _:
                # Everybody, or what another version has written.
                self.lose_place()

    def lose_place(self) -> None:
        self._doubt(self._connections)

    def _doubt(self, user_ids: Iterable[int | None]) -> None:
        self._doubts.add(user_ids)
        self._in_doubt.set()

    def _heard_by(self, user_id: int | None) -> Collection[str] | None:
        """Return the channels that a user's connections here hear; None if there are none."""
        connections = self._connections.get(user_id)
        if connections is None:
            return None
        return {channel for each in connections for channel in each.permitted()}

    async def _recheck(self) -> None:
        """Find out what those in doubt may still hear, as soon as it is answered, for ever."""
        while True:
            seconds = self._doubts.wait(time.monotonic())
            if seconds != 0.0:
                await self._wait(seconds)
            elif questions := self._doubts.take(time.monotonic()):
                await self._ask(questions)

    async def _wait(self, seconds: float | None) -> None:
        self._in_doubt.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._in_doubt.wait()

    async def _ask(self, questions: list[Question]) -> None:
        try:
            await recheck(self._database, self._connections, questions)
        except Exception as error:
            self._doubts.unanswered(time.monotonic())
            if not isinstance(error, DatabaseAway):
                logger.exception("A recheck has failed, and is made again.")
            elif self._database.outage is None:
                logger.warning("A recheck got no answer, and is made again: %s", error)
        else:
            self._doubts.answered()

    def _end(self, user_id: int, code: CloseCode) -> None:
        connections = list(self._connections.get(user_id, ()))
        for connection in connections:
            connection.end(code)
        if connections:
            logger.info("User %d: %d connections ended, %s.", user_id, len(connections), code)
