"""
The gateway's database threads: the only place where the event loop meets the ORM.

They are not Django's one thread-sensitive thread: a query that hangs there would hold up every
connection. A call that gets no answer in three seconds is given up, and the outage is logged once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

__all__ = ["DatabaseAway", "DatabaseThreads"]

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 3.0


class DatabaseAway(Exception):
    """The database did not answer; the same may work in a moment."""


class DatabaseThreads:
    """A few threads that run ORM calls for the event loop."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(
            settings.CARILLON_GATEWAY_DATABASE_THREADS, thread_name_prefix="database"
        )
        # None while the database answers, else what it said when it first did not.
        self.outage: str | None = None

    async def run[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Run a synchronous call in a database thread.

        Raises:
            DatabaseAway: no answer in time, or no connection. A call that was running may still
                take effect.
        """
        queued = self._executor.submit(partial(_with_connection, call, *args, **kwargs))
        waiting = asyncio.wrap_future(queued)
        done, _ = await asyncio.wait({waiting}, timeout=_ANSWER_SECONDS)
        try:
            if not done:
                waiting.cancel()
                raise DatabaseAway(f"no answer in {_ANSWER_SECONDS:g} s")
            result = waiting.result()
        except (OperationalError, InterfaceError) as error:
            raise self._away(DatabaseAway(str(error).strip())) from error
        except DatabaseAway as error:
            self._away(error)
            raise
        if self.outage is not None:
            logger.info("The database answers again.")
            self.outage = None
        return result

    def close(self) -> None:
        """Take no more calls; those waiting are dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _away(self, error: DatabaseAway) -> DatabaseAway:
        if self.outage is None:
            self.outage = str(error) or "no connection"
            logger.warning("The database does not answer: %s", self.outage)
        return error


def _with_connection[**P, R](call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    close_old_connections()
    try:
        return call(*args, **kwargs)
    finally:
        close_old_connections()
