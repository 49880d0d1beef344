from __future__ import annotations

import asyncio

import pytest

from services.gateway.transport.pings import PingClock

_SECONDS = 0.25


class _Connection:
    def __init__(self) -> None:
        self.times: list[float] = []
        self._pinged = asyncio.Event()

    def ping(self) -> None:
        self.times.append(asyncio.get_running_loop().time())
        self._pinged.set()

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.times) < count:
                await self._pinged.wait()
                self._pinged.clear()


async def test_each_once_in_an_interval() -> None:
    """Everybody is pinged once in each turn of the clock, however many there are."""
    clock, connections = PingClock(_SECONDS), [_Connection() for _ in range(300)]
    for connection in connections:
        clock.add(connection)
    for connection in connections:
        await connection.reach(2)
    counts = {len(connection.times) for connection in connections}
    assert max(counts) - min(counts) <= 1


async def test_spread_over_the_interval() -> None:
    """Connections that were opened together are not pinged together."""
    clock, connections = PingClock(_SECONDS), [_Connection() for _ in range(300)]
    slots = {clock.add(connection) for connection in connections}
    assert len(slots) > 100
    for connection in connections:
        await connection.reach(1)
    assert len({connection.times[0] for connection in connections}) > 50


async def test_interval() -> None:
    """Between two pings lies the interval, within what a busy event loop shifts."""
    clock, connection = PingClock(_SECONDS), _Connection()
    clock.add(connection)
    await connection.reach(5)
    assert connection.times[4] - connection.times[0] > 3.5 * _SECONDS


async def test_busy_loop_does_not_make_it_longer() -> None:
    """Ticks that came late are caught up with."""
    clock, connection = PingClock(0.1), _Connection()
    clock.add(connection)
    await connection.reach(1)
    loop = asyncio.get_running_loop()
    started = loop.time()
    while loop.time() - started < 0.5:
        # The event loop has no time for anybody else.
        pass
    await connection.reach(6)
    assert loop.time() - started < 5


async def test_discard() -> None:
    """Who has left is not pinged anymore; who never came may be discarded, too."""
    clock, gone, there = PingClock(_SECONDS), _Connection(), _Connection()
    clock.discard(gone, clock.add(gone))
    clock.discard(there, (clock.add(there) + 1) % 256)
    await there.reach(2)
    assert gone.times == []


async def test_connection_that_leaves_while_others_are_pinged() -> None:
    """A ping may end a connection, and with it others of the same slot."""
    clock, there = PingClock(0.05), _Connection()

    class Leaving(_Connection):
        def ping(self) -> None:
            super().ping()
            clock.discard(self, self.slot)

    leaving = [Leaving() for _ in range(1000)]
    for connection in leaving:
        connection.slot = clock.add(connection)
    clock.add(there)
    await there.reach(3)
    assert {len(connection.times) for connection in leaving} == {1}


async def test_failing_ping_does_not_stop_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    """One connection's mistake is logged; the next turn comes all the same."""
    clock, there = PingClock(0.05), _Connection()

    class Failing(_Connection):
        def ping(self) -> None:
            super().ping()
            raise RuntimeError("This one fails.")

    failing = Failing()
    clock.add(failing)
    clock.add(there)
    await failing.reach(2)
    await there.reach(2)
    assert "This one fails." in caplog.text
