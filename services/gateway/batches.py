"""Batches: calls that come while others are under way are answered together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from services.gateway.database import DatabaseThreads

__all__ = ["Batch"]

_AT_ONCE = 100
# Two, so that one which hangs in a slow hook does not keep everybody else waiting.
_RUNNING = 2


class Batch[Q, A]:
    """
    Questions to the database that many connections ask at the same time.

    Those of one turn of the event loop go together, as do those that come while two batches are
    running: the more there are, the less each costs.
    """

    def __init__(
        self,
        database: DatabaseThreads,
        answer: Callable[[Sequence[Q]], Sequence[A | Exception]],
    ) -> None:
        """
        Take how questions are answered.

        Args:
            database: where `answer` runs.
            answer: returns as many answers as there are questions, in their order; an exception is
                raised for the one who asked.
        """
        self._database = database
        self._answer = answer
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._is_due = False

    async def ask(self, question: Q) -> A:
        """
        Return the answer to one question.

        Raises:
            DatabaseAway: the database gave none to the whole batch.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, future))
        if not self._is_due and len(self._running) < _RUNNING:
            self._is_due = True
            loop.call_soon(self._begin)
        return await future

    def _begin(self) -> None:
        self._is_due = False
        asked = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        # Who asked may have gone since.
        asked = [(question, future) for question, future in asked if not future.done()]
        if asked:
            task = asyncio.get_running_loop().create_task(self._run(asked))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting and not self._is_due:
            self._begin()

    async def _run(self, asked: list[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers: Sequence[A | Exception] = await self._database.run(
                self._answer, [question for question, _ in asked]
            )
        except Exception as error:
            answers = [error] * len(asked)
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
