"""
The gateway's database threads: the only place where the event loop meets the ORM.

They are not Django's one thread-sensitive thread: a query that hangs there would hold up every
connection. A call that gets no answer in three seconds is given up. Writers wait for locks, so
half of the threads are kept from them, for handshakes and catch-ups; more of them would store
hardly more, because the interpreter is what they share, and would hold up what is delivered.
Whether the database as a whole is away is for `watch` to say, in a thread of its own, which logs
an outage once: a lock that somebody holds is none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
)

from shared.realtime import streams
from shared.settings import databases

__all__ = ["DatabaseAway", "DatabaseThreads"]

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 3.0
_WATCH_SECONDS = 2.0


class DatabaseAway(Exception):
    """The database gave no useful answer; the same call may work in a moment."""


class DatabaseThreads:
    """A few threads that run ORM calls for the event loop."""

    def __init__(self) -> None:
        threads = settings.CARILLON_GATEWAY_DATABASE_THREADS
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="database")
        self._watching = ThreadPoolExecutor(1, thread_name_prefix="database-watch")
        self._writers = asyncio.Semaphore(max(1, threads // 2))
        # None while the database answers, else what it said when it first did not.
        self.outage: str | None = None

    async def run[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Run a synchronous call in a database thread.

        Raises:
            DatabaseAway: no answer in time, no connection, a lock held too long, or tables that
                are not there, as in the middle of a restore. A call that was running may still
                take effect.
        """
        return await _answer(
            self._executor.submit(_with_connection, partial(call, *args, **kwargs))
        )

    async def write[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do what `run` does, for a call that may have to wait for a lock."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._writers.acquire()
        except TimeoutError as error:
            raise DatabaseAway("all writers wait") from error
        loop = asyncio.get_running_loop()
        queued = self._executor.submit(_with_connection, partial(call, *args, **kwargs))
        # When its thread is free again, not when nobody waits for the answer anymore.
        queued.add_done_callback(lambda _: loop.call_soon_threadsafe(self._writers.release))
        return await _answer(queued)

    async def watch(self) -> None:
        """Ask the database every other second, for ever, and tell of its going and coming."""
        while True:
            try:
                await _answer(self._watching.submit(_with_connection, _ask))
            except DatabaseAway as error:
                if self.outage is None:
                    self.outage = await self._cause() or str(error) or "no connection"
                    logger.warning("The database does not answer: %s", self.outage)
            else:
                if self.outage is not None:
                    logger.info("The database answers again.")
                self.outage = None
            await asyncio.sleep(_WATCH_SECONDS)

    async def _cause(self) -> str | None:
        """Return why nobody can connect, which the pool does not say; None if that is not why."""
        asked = self._watching.submit(databases.cause, connection.settings_dict)
        try:
            return await _answer(asked)
        except DatabaseAway:
            return None

    def close(self) -> None:
        """Take no more calls; those waiting are dropped."""
        for executor in (self._executor, self._watching):
            executor.shutdown(wait=False, cancel_futures=True)


async def _answer[R](queued: Future[R]) -> R:
    waiting = asyncio.wrap_future(queued)
    try:
        done, _ = await asyncio.wait({waiting}, timeout=_ANSWER_SECONDS)
        if not done:
            raise DatabaseAway(f"no answer in {_ANSWER_SECONDS:g} s")
        return waiting.result()
    except (IntegrityError, DataError):
        # Answers to this very call.
        raise
    except (DatabaseError, InterfaceError) as error:
        words = str(error).strip().partition("\n")[0]
        # SQLite's class for a table that is missing is the one for what passes.
        if not isinstance(error, OperationalError) or words.startswith("no such"):
            _tell_once(words)
        raise DatabaseAway(words) from error
    finally:
        # Also when the caller is cancelled: nobody will ask for the result.
        waiting.cancel()


@lru_cache(maxsize=64)
def _tell_once(words: str) -> None:
    # No outage that passes, but a table or a right that is missing: somebody must hear of it.
    logger.error("The database refused a query: %s", words)


def _ask() -> None:
    """Read what every handshake needs: missing tables and rights are an outage, too."""
    streams.heads([])
    Session.objects.exists()


def _with_connection[R](call: Callable[[], R]) -> R:
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()
