"""Which turn of the event loop was the longest."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.load.fanout.turns import Turns


@pytest.fixture(autouse=True)
def whole_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have asyncio as it was after the test."""
    monkeypatch.setattr(asyncio.events.Handle, "_run", asyncio.events.Handle._run)


def burn(milliseconds: float) -> None:
    ends = time.thread_time() + milliseconds / 1e3
    while time.thread_time() < ends:
        pass


async def test_the_longest_turn_by_cpu_time_has_a_name() -> None:
    """A callback that computes is the longest; only the wall clock notices one that sleeps."""
    turns = Turns()
    turns.answer("turns")
    loop = asyncio.get_running_loop()
    loop.call_soon(burn, 20)
    loop.call_soon(time.sleep, 0.05)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    longest = turns.answer("longest")
    assert longest["name"] == "burn"
    assert isinstance(longest["cpu_ms"], float)
    assert isinstance(longest["wall_ms"], float)
    assert longest["cpu_ms"] >= 20
    assert longest["wall_ms"] >= 50


async def test_it_begins_anew() -> None:
    """What was told once is not told again; being told twice to look changes nothing."""
    turns = Turns()
    turns.answer("turns")
    asyncio.get_running_loop().call_soon(burn, 5)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    turns.answer("turns")
    assert turns.answer("longest")["name"] == ""


def test_an_unknown_word_is_refused() -> None:
    """A mistake in the benchmark ends it, instead of giving a figure."""
    with pytest.raises(ValueError, match="no word"):
        Turns().answer("longer")
