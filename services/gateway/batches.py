"""Batches: calls that come while others are under way are answered together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError

from services.gateway.database import DatabaseAway, DatabaseThreads

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
        *,
        at_once: int = _AT_ONCE,
    ) -> None:
        """
        Take how questions are answered.

        Args:
            database: where `answer` runs.
            answer: returns as many answers as there are questions, in their order; an exception is
                raised for the one who asked.
            at_once: how many questions go together at most.
        """
        self._database = database
        self._answer = answer
        self._at_once = at_once
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
        while len(self._running) < _RUNNING and (asked := self._next()):
            task = asyncio.get_running_loop().create_task(self._run(asked))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _next(self) -> list[tuple[Q, asyncio.Future[A]]]:
        asked: list[tuple[Q, asyncio.Future[A]]] = []
        while self._waiting and len(asked) < self._at_once:
            question, future = self._waiting.popleft()
            # Who asked may have gone since.
            if not future.done():
                asked.append((question, future))
        return asked

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._begin()

    async def _run(self, asked: list[tuple[Q, asyncio.Future[A]]]) -> None:
        questions = [question for question, _ in asked]
        answers: Sequence[A | Exception]
        try:
            try:
                answers = await self._database.run(self._answer, questions)
            except DatabaseAway:
                raise
            except Exception:
                # What is wrong with one of them must not be everybody's error.
                answers = await self._database.run(self._answer_each, questions)
        except Exception as error:
            answers = [error] * len(asked)
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _answer_each(self, questions: Sequence[Q]) -> Sequence[A | Exception]:
        answers: list[A | Exception] = []
        for question in questions:
            try:
                answers.extend(self._answer([question]))
            except (DataError, IntegrityError) as error:
                answers.append(error)
            except (DatabaseError, InterfaceError):
                # The next one would meet it, too.
                raise
            except Exception as error:
                answers.append(error)
        return answers
