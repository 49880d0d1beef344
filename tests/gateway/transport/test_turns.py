"""Turns: how groups share the event loop's time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from services.gateway.transport import turns
from services.gateway.transport.turns import Turns


def counting(steps: int, done: list[str], name: str) -> Callable[[], bool]:
    """Return what takes so many steps, each of which writes its name down."""
    left = steps

    def go_on() -> bool:
        nonlocal left
        left -= 1
        done.append(name)
        return left > 0

    return go_on


@pytest.fixture
def one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_SECONDS", 0)


async def test_steps_alternate() -> None:
    """A group with much to write does not keep one with little waiting to its end."""
    done: list[str] = []
    ours = Turns()
    ours.add(counting(4, done, "large"))
    ours.add(counting(1, done, "small"))
    assert done == []
    await asyncio.sleep(0)
    assert done == ["large", "small", "large", "large", "large"]


@pytest.mark.usefixtures("one_step")
async def test_time_is_for_all_groups_together() -> None:
    """When it is over, everything else in the event loop comes first, however many wait."""
    done: list[str] = []
    ours = Turns()
    for name in "abc":
        ours.add(counting(2, done, name))
    for _ in range(6):
        await asyncio.sleep(0)
        done.append("-")
    assert "".join(done) == "a-b-c-a-b-c-"


@pytest.mark.usefixtures("one_step")
async def test_one_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """An error is told once, and the others go on."""
    done: list[str] = []

    def fail() -> bool:
        raise RuntimeError("of one group")

    ours = Turns()
    ours.add(fail)
    ours.add(counting(2, done, "a"))
    with caplog.at_level(logging.ERROR):
        for _ in range(4):
            await asyncio.sleep(0)
    assert done == ["a", "a"]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "of one group"
    ]
