"""
Commits: publications of clients that come together are stored in one transaction per channel.

The first that comes to a quiet channel is stored at once, by itself. Those that come while it is
being stored, or while all writers are busy, wait, and then go together, a hundred at most: the
more there are, the less each costs, and nobody waits for a clock. Channels do not wait for each
other: each has one transaction under way at most, so one whose row somebody holds keeps one writer
busy, not all.

It is for namespaces that can store many at once (`on_publish_each`); others' are stored one by one,
as they come. So is what is not kept at all: it is told with the client that says it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings
from django.db import DatabaseError

from services.gateway.database import DatabaseAway, DatabaseThreads
from shared.accounts.commands import (
    MOST_TOGETHER,
    NotTogether,
    goes_together,
    publish_as,
    publish_each_as,
)
from shared.broker.wire import Published
from shared.presence.clients import ClientInfo
from shared.realtime.exceptions import Refused
from shared.realtime.namespaces import Outcome
from shared.telemetry import metrics

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Commits"]

logger = logging.getLogger(__name__)

# In one channel, and for so long: who comes later, or waits longer, is told to come again.
_WAITING = 2_000
_WAITING_SECONDS = 3.0


class _Said(NamedTuple):
    """A publication that waits to be stored."""

    user: AbstractUser
    data: Mapping[str, Any]
    # Cancelled when its connection has ended.
    answer: asyncio.Future[Outcome]
    # By time.monotonic().
    since: float

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Commits:
    """Stores what clients publish, and passes it on here as soon as it is stored."""

    def __init__(self, database: DatabaseThreads, hear: Callable[[Published], None]) -> None:
        """
        Args:
            database: where it is stored.
            hear: takes what was stored, in the order of its offsets; a bell brings it, too.
        """
        self._database = database
        self._hear = hear
        # As many as there are writers: who waits for one here can still be joined by others.
        self._turns = asyncio.Semaphore(max(1, settings.CARILLON_GATEWAY_DATABASE_THREADS // 2))
        # What waits, by channel; a channel is here as long as something of it is being stored.
        self._lines: dict[str, deque[_Said]] = {}
        # Each ends when its line is empty; the event loop alone would not keep them.
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(
        self,
        user: AbstractUser,
        channel: str,
        data: Mapping[str, Any],
        client: ClientInfo | None = None,
    ) -> Outcome:
        """
        Do what `publish_as` does; returns after the commit.

        Raises:
            Suspended, Refused: as `publish_as`.
            DatabaseAway: it could not be stored now; where the database was asked, it may be yet.
        """
        if not goes_together(channel):
            outcome = await self._database.write(publish_as, user, channel, data, client)
            self._pass_on(outcome)
            return outcome
        loop = asyncio.get_running_loop()
        said = _Said(user, data, loop.create_future(), time.monotonic())
        line = self._lines.get(channel)
        if line is None:
            line = self._lines[channel] = deque()
            task = loop.create_task(self._run(channel, line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(line) >= _WAITING:
            raise DatabaseAway("too many wait in this channel")
        line.append(said)
        return await said.answer

    async def _run(self, channel: str, line: deque[_Said]) -> None:
        """Store what is in a line until nothing is."""
        batch: Sequence[_Said] = []
        try:
            while line:
                async with self._turns:
                    if batch := _next(line):
                        await self._store(channel, batch, line)
        finally:
            # Nothing is left, unless this process is ending.
            del self._lines[channel]
            for said in (*batch, *line):
                said.fail(DatabaseAway("the gateway ends"))

    async def _store(self, channel: str, batch: Sequence[_Said], line: deque[_Said]) -> None:
        metrics.COMMIT_PUBLICATIONS.observe(len(batch))
        if len(batch) == 1:
            await self._store_singly(channel, batch)
            return
        try:
            answers = await self._database.write(
                publish_each_as, channel, [(said.user, said.data) for said in batch]
            )
        except DatabaseAway as error:
            # It may be stored yet, so that nobody but the client can try again.
            _fail(batch, error)
            return
        except Exception as error:
            cause = error.__cause__ if isinstance(error, NotTogether) else error
            if not isinstance(cause, DatabaseError):
                # Such as texts that are too long: they are found singly. Or a mistake in a hook.
                logger.warning("Storing one by one in %s: %r", channel.partition(":")[0], cause)
            await self._store_singly(channel, batch)
            return
        for said, answer in zip(batch, answers, strict=False):
            self._settle(said, answer)
        line.extendleft(reversed(batch[len(answers) :]))

    async def _store_singly(self, channel: str, batch: Sequence[_Said]) -> None:
        for index, said in enumerate(batch):
            if said.answer.done():
                continue
            try:
                outcome = await self._database.write(publish_as, said.user, channel, said.data)
            except DatabaseAway as error:
                # The next ones would meet it, too, each for seconds.
                _fail(batch[index:], error)
                return
            except Exception as error:
                said.fail(error)
            else:
                self._settle(said, outcome)

    def _settle(self, said: _Said, answer: Outcome | Refused) -> None:
        if isinstance(answer, Refused):
            said.fail(answer)
            return
        # Also where nobody waits for it anymore: the next ones would seem to follow a hole.
        self._pass_on(answer)
        if not said.answer.done():
            said.answer.set_result(answer)

    def _pass_on(self, outcome: Outcome) -> None:
        # Not only by bell: here it is known already, whether or not the broker is there. The
        # bell's repeat is dropped by its offset; without one it would come twice.
        if not outcome.repeated and outcome.published.offset > 0:
            self._hear(outcome.published)


def _next(line: deque[_Said]) -> list[_Said]:
    """Take the next ones from a line, without those who are gone or have waited for too long."""
    batch: list[_Said] = []
    oldest = time.monotonic() - _WAITING_SECONDS
    while line and len(batch) < MOST_TOGETHER:
        said = line.popleft()
        if said.since < oldest:
            said.fail(DatabaseAway("others are being stored"))
        elif not said.answer.done():
            batch.append(said)
    return batch


def _fail(batch: Sequence[_Said], error: DatabaseAway) -> None:
    for said in batch:
        # Each its own, because raising one writes into it.
        said.fail(DatabaseAway(*error.args))
