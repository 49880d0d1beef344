from __future__ import annotations

import asyncio

import pytest

from services.gateway.transport.deadlines import Deadlines

_SECONDS = 0.05


class _Due(list[int]):
    """What was called back, in order, with a way to wait for it."""

    def __init__(self) -> None:
        self._grown = asyncio.Event()

    def add(self, thing: int) -> None:
        self.append(thing)
        self._grown.set()

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self) < count:
                await self._grown.wait()
                self._grown.clear()


async def test_in_the_order_of_adding() -> None:
    """What was added first is due first."""
    due = _Due()
    deadlines = Deadlines(_SECONDS, due.add)
    for number in range(10):
        deadlines.add(number)
    await due.reach(10)
    assert due == list(range(10))


async def test_not_before_its_time() -> None:
    """Each thing has the whole time, also when others were added before it."""
    loop = asyncio.get_running_loop()
    added: dict[int, float] = {}
    waited: dict[int, float] = {}
    due = _Due()

    def ring(number: int) -> None:
        waited[number] = loop.time() - added[number]
        due.add(number)

    deadlines = Deadlines(_SECONDS, ring)
    for number in range(3):
        added[number] = loop.time()
        deadlines.add(number)
        await asyncio.sleep(_SECONDS / 3)
    await due.reach(3)
    assert all(seconds >= _SECONDS for seconds in waited.values())


async def test_again_after_all_were_due() -> None:
    """One that is added later starts the clock anew, also from within a callback."""
    due = _Due()
    deadlines = Deadlines(_SECONDS, due.add)
    deadlines.add(1)
    await due.reach(1)
    deadlines.add(2)
    await due.reach(2)

    again: Deadlines[int] = Deadlines(
        _SECONDS, lambda number: (due.add(number), again.add(number + 1))[0]
    )
    again.add(3)
    await due.reach(5)
    assert due == [1, 2, 3, 4, 5]


async def test_many_at_once_leave_room_for_others() -> None:
    """When thousands are due, the event loop turns in between."""
    due = _Due()
    deadlines = Deadlines(0.0, due.add)
    for number in range(2000):
        deadlines.add(number)
    await due.reach(1)
    assert len(due) < 2000
    await due.reach(2000)
    assert due == list(range(2000))


async def test_failing_callback_costs_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """One thing's mistake is logged; the others are still called back."""
    due = _Due()

    def ring(number: int) -> None:
        due.add(number)
        if number == 1:
            raise RuntimeError("This one fails.")

    deadlines = Deadlines(_SECONDS, ring)
    for number in range(3):
        deadlines.add(number)
    await due.reach(3)
    assert due == [0, 1, 2]
    assert "This one fails." in caplog.text
