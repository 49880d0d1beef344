from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest
from pytest_django import Settings

from services.gateway.batches import Batch
from services.gateway.database import DatabaseAway, DatabaseThreads
from tests.gateway.peer import eventually

# Its threads look after database connections, though nothing is asked of one here.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[DatabaseThreads]:
    made = DatabaseThreads()
    yield made
    made.close()


class Answering:
    """Doubles numbers, notes what was asked together, and can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, questions: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(questions))
        self.go.wait(5)
        return [ValueError("odd") if q == 13 else 2 * q for q in questions]


async def test_one_turn_is_one_batch(database: DatabaseThreads) -> None:
    """What is asked in one turn of the event loop is answered together, each its own."""
    answering = Answering()
    batch = Batch(database, answering)
    assert await asyncio.gather(*map(batch.ask, range(12))) == [2 * n for n in range(12)]
    assert answering.batches == [list(range(12))]


async def test_at_most_a_hundred(database: DatabaseThreads) -> None:
    """A crowd is cut into batches, two of them at a time from the beginning."""
    answering = Answering()
    answering.go.clear()
    batch = Batch(database, answering)
    crowd = asyncio.gather(*map(batch.ask, range(20, 270)))
    await eventually(lambda: len(answering.batches) == 2)
    answering.go.set()
    assert len(await crowd) == 250
    assert sorted(len(each) for each in answering.batches) == [50, 100, 100]


async def test_crowd_that_is_gone(database: DatabaseThreads) -> None:
    """Whole batches of those who have left keep nobody waiting who comes behind them."""
    answering = Answering()
    batch = Batch(database, answering)
    gone = [asyncio.create_task(batch.ask(n)) for n in range(200, 400)]
    waiting = [asyncio.create_task(batch.ask(n)) for n in range(5)]
    # All have asked, and the batches begin in the next turn.
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*waiting) == [0, 2, 4, 6, 8]


async def test_those_who_come_meanwhile(database: DatabaseThreads) -> None:
    """A batch that hangs lets another one pass; those who come then wait, and go together."""
    answering = Answering()
    answering.go.clear()
    batch = Batch(database, answering)
    tasks = []
    for n in range(5):
        tasks.append(asyncio.create_task(batch.ask(n)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    answering.go.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]
    assert sorted(map(len, answering.batches)) == [1, 1, 3]


async def test_one_mistake(database: DatabaseThreads) -> None:
    """An exception among the answers is raised for the one who asked, and for nobody else."""
    batch = Batch(database, Answering())
    answers = await asyncio.gather(*map(batch.ask, (12, 13, 14)), return_exceptions=True)
    assert answers[0::2] == [24, 28]
    assert isinstance(answers[1], ValueError)


async def test_mistake_that_is_not_told_apart(database: DatabaseThreads) -> None:
    """Where the answering itself fails, each is asked for alone: one's error is that one's."""

    def answer(questions: Sequence[int]) -> list[int | Exception]:
        return [100 // question for question in questions]

    batch = Batch(database, answer)
    answers = await asyncio.gather(*map(batch.ask, (4, 0, 5)), return_exceptions=True)
    assert answers[0::2] == [25, 20]
    assert isinstance(answers[1], ZeroDivisionError)


async def test_all_fail(database: DatabaseThreads) -> None:
    """Where there is no answer at all, each is told, and the next batch works."""

    class Away(DatabaseThreads):
        async def run(self, *_: object, **__: object) -> None:  # type: ignore[override]
            raise DatabaseAway("gone")

    away = Away()
    batch: Batch[int, int] = Batch(away, Answering())
    told = await asyncio.gather(batch.ask(1), batch.ask(2), return_exceptions=True)
    assert [type(each) for each in told] == [DatabaseAway, DatabaseAway]
    away.close()
    batch._database = database
    assert await batch.ask(3) == 6


async def test_asker_who_is_gone(database: DatabaseThreads) -> None:
    """Who was cancelled is not asked for, and does not disturb the others."""
    answering = Answering()
    batch = Batch(database, answering)
    gone, waiting = asyncio.create_task(batch.ask(1)), asyncio.create_task(batch.ask(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await waiting == 4
    assert answering.batches in ([[2]], [[1, 2]])
