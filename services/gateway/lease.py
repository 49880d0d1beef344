"""
The lease: under which this gateway writes who its clients are, and what is not written yet.

Changes are noted at once and written together: by sets, in one transaction, which renews the lease
as well. Without changes the lease is renewed every ten seconds. While the database is away the
changes wait. A lease that is gone, because PostgreSQL crashed or because this gateway was taken for
dead, is taken back, and all is written again.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from services.gateway.database import DatabaseAway, DatabaseThreads
from shared.presence.actions import Turn, do_begin, do_end, do_write
from shared.presence.clients import Entry, Standing

__all__ = ["BEAT_SECONDS", "Lease"]

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
# Of one transaction, which has to be through within the three seconds of an answer.
_BATCH = 10_000
# Goings that wait for the database; with more of them it is less to write everything anew.
_GOINGS = 50_000


class Lease:
    """This process's lease, and the changes that are to be written under it."""

    def __init__(
        self,
        database: DatabaseThreads,
        gateway_id: str,
        everything: Callable[[], Iterable[Entry]],
        clock: Callable[[], float],
    ) -> None:
        """
        Take where to write, and what.

        Args:
            database: this gateway's database threads.
            gateway_id: its name.
            everything: returns all that must be written when nothing is.
            clock: seconds that never go back.
        """
        self._database = database
        self._gateway_id = gateway_id
        self._everything = everything
        self._clock = clock
        # Which process this is.
        self.incarnation = secrets.token_hex(8)
        # How many writes it has tried, and which of them was the last to succeed.
        self._turn = self._done = 0
        # By channel and client what is not written yet.
        self._changes: dict[tuple[str, str], Entry] = {}
        # In how many of them the client has left.
        self._goings = 0
        # Whether the lease is this process's as far as it knows, and whether it ever was.
        self._is_held = self._was_held = False
        self._beat_due = 0.0

    @property
    def waiting(self) -> int:
        """How many changes are not written yet."""
        return len(self._changes)

    def note(self, entry: Entry) -> None:
        """Have written that a client came or left, or what is told of it now."""
        key = entry.channel, entry.info.client
        before = self._changes.get(key)
        self._changes[key] = entry
        self._goings += _is_going(entry) - (before is not None and _is_going(before))
        if self._goings > _GOINGS:
            self._changes.clear()
            self._goings = 0
            self._is_held = False

    async def write(self) -> Sequence[Entry]:
        """
        Write what waits, up to a batch, or renew the lease if that is due.

        Returns:
            what was written.

        Raises:
            DatabaseAway: nothing may have been written; it waits for the next time.
        """
        if not self._is_held:
            return await self._begin()
        if self._changes or self._clock() >= self._beat_due:
            return await self._write()
        return []

    async def end(self, unsettled: Sequence[Entry]) -> None:
        """
        Give the lease up, when nothing is written anymore; what was written counts no longer.

        Args:
            unsettled: clients that are gone without anybody having been told.
        """
        try:
            await self._database.write(do_end, self._next_turn(), unsettled[:_BATCH])
        except DatabaseAway:
            logger.warning("The lease could not be given up: it ends by itself.")

    async def _begin(self) -> Sequence[Entry]:
        left = {key: entry for key, entry in self._changes.items() if _is_going(entry)}
        self._changes = left | {(e.channel, e.info.client): e for e in self._everything()}
        batch = self._batch()
        is_new = not self._was_held
        began = self._clock()
        turn = self._next_turn()
        # From here on too many goings may say that it is not.
        self._is_held = True
        try:
            await self._database.write(do_begin, turn, self._gateway_id, batch, is_new=is_new)
        except DatabaseAway:
            self._is_held = False
            raise
        self._was_held = True
        self._written(turn, batch, began)
        return batch

    async def _write(self) -> Sequence[Entry]:
        batch = self._batch()
        began = self._clock()
        turn = self._next_turn()
        try:
            is_written = await self._database.write(do_write, turn, batch)
        except DatabaseAway:
            # Looked for at once when it is back: it may have crashed, and lost the lease.
            self._beat_due = began
            raise
        if not is_written:
            logger.warning("The lease is gone: all clients are written again.")
            self._is_held = False
            return await self._begin()
        self._written(turn, batch, began)
        return batch

    def _batch(self) -> list[Entry]:
        return list(islice(self._changes.values(), _BATCH))

    def _written(self, turn: Turn, batch: Sequence[Entry], began: float) -> None:
        self._done = turn.number
        for entry in batch:
            key = entry.channel, entry.info.client
            # Unless it has changed meanwhile.
            if self._changes.get(key) is entry:
                del self._changes[key]
                self._goings -= _is_going(entry)
        self._beat_due = began + BEAT_SECONDS

    def _next_turn(self) -> Turn:
        self._turn += 1
        return Turn(self.incarnation, self._turn, self._done)


def _is_going(entry: Entry) -> bool:
    return entry.standing is not Standing.HERE
