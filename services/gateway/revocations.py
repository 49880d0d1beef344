"""
Revocations: who may not be signed in anymore loses their connections, on every gateway.

`revocations:all` is a stream like any other, and the gateway is a member of it for as long as it
runs. So a revocation comes by bell at once, by head check where no bell comes, and where the
stream cannot be continued, the database is asked about everybody who is here.

A connection is added here before its handshake reads whether its user is active. So at whatever
moment a revocation commits, either that read sees it, or it reaches the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.repair import Repair
from services.gateway.standing import StandingMember
from shared.accounts.access import active_among
from shared.accounts.namespaces import REVOCATIONS
from shared.realtime.controls import Control
from shared.telemetry import metrics

__all__ = ["Revocable", "Revocations"]

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0


class Revocable(Protocol):
    """What this needs of a connection."""

    def end(self, code: CloseCode) -> None:
        """Close it, or refuse it while it is being opened; never wait, never raise."""

    def obey(self, control: Control) -> None:
        """Do what a server wants of it, if it is meant; never wait, never raise."""


class Revocations(StandingMember):
    """Each user's connections here, and the member of `revocations:all` that ends them."""

    channel = REVOCATIONS

    def __init__(self, repair: Repair, database: DatabaseThreads) -> None:
        super().__init__(repair, database)
        # By user id; those that are being opened included.
        self._connections: dict[int, set[Revocable]] = {}
        # Revocations may have passed unheard: everybody must be looked at.
        self._in_doubt = asyncio.Event()

    def add(self, user_id: int, connection: Revocable) -> None:
        """Have a connection ended when its user's login is revoked, from now on."""
        self._connections.setdefault(user_id, set()).add(connection)
        metrics.USERS.set(len(self._connections))

    def discard(self, user_id: int, connection: Revocable) -> None:
        """Forget a connection; one that is not here changes nothing."""
        others = self._connections.get(user_id)
        if others is None:
            return
        others.discard(connection)
        if not others:
            del self._connections[user_id]
            metrics.USERS.set(len(self._connections))

    def of(self, user_id: int) -> Iterable[Revocable]:
        """Return a user's connections here."""
        return tuple(self._connections.get(user_id, ()))

    async def run(self) -> None:
        """Serve the stream, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.attend())
            while True:
                await self._in_doubt.wait()
                self._in_doubt.clear()
                await self._recheck()

    def take(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "revoked", "user": int(user_id), "code": int(code)} if code in CloseCode:
                self._end(user_id, CloseCode(code))
            case _:
                # What another version has written.
                self.lose_place()

    def lose_place(self) -> None:
        self._in_doubt.set()

    async def _recheck(self) -> None:
        """End the connections of all who are not active, as soon as the database can be asked."""
        while True:
            here = list(self._connections)
            try:
                active = await self._database.run(active_among, here) if here else set[int]()
            except DatabaseAway:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                break
        for user_id in here:
            if user_id not in active:
                self._end(user_id, CloseCode.BANNED)

    def _end(self, user_id: int, code: CloseCode) -> None:
        connections = list(self._connections.get(user_id, ()))
        for connection in connections:
            connection.end(code)
        if connections:
            logger.info("User %d: %d connections ended, %s.", user_id, len(connections), code)
