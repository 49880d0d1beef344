from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from services.gateway import garbage
from services.gateway.garbage import Garbage
from tests.gateway.peer import eventually


class Knot:
    """What only a full collection frees."""

    def __init__(self) -> None:
        self.itself = self


class Sockets:
    """An application that leaves a knot for each connection, as Daphne does."""

    def __init__(self) -> None:
        self.left: list[weakref.ref[Knot]] = []
        self.leave = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.left.append(weakref.ref(Knot()))
        if scope["type"] == "websocket":
            await self.leave.wait()

    @property
    def knots(self) -> int:
        return sum(ref() is not None for ref in self.left)


@pytest.fixture
def by_rule_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python collects nothing by itself; 10 ended connections are worth a collection."""
    monkeypatch.setattr(garbage, "_AT_LEAST", 10)
    monkeypatch.setattr(garbage, "_DELAY_SECONDS", 0.0)
    gc.disable()
    yield
    gc.enable()


async def never(*_: object) -> None:
    raise AssertionError("The application was to use nothing.")


async def end(application: Garbage, count: int) -> None:
    for _ in range(count):
        await application({"type": "http"}, never, never)


async def turns() -> None:
    """Let the event loop come round more often than what is due needs."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_few(by_rule_alone: None) -> None:
    """Few that have ended are left alone, those after them are collected along with them."""
    sockets = Sockets()
    application = Garbage(sockets)
    await end(application, 9)
    await turns()
    assert sockets.knots == 9
    await end(application, 1)
    await eventually(lambda: sockets.knots == 0)
    await end(application, 9)
    await turns()
    assert sockets.knots == 9


async def test_many_open(by_rule_alone: None) -> None:
    """A collection that looks at many waits until half as many have ended."""
    sockets = Sockets()
    application = Garbage(sockets)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(40):
            tasks.create_task(application({"type": "websocket"}, never, never))
        await eventually(lambda: len(sockets.left) == 40)
        await end(application, 19)
        await turns()
        assert sockets.knots == 59
        await end(application, 1)
        await eventually(lambda: sockets.knots == 0)
        sockets.leave.set()


async def test_failed(by_rule_alone: None) -> None:
    """A connection that ends with an error counts as any other, and its error goes on."""

    async def fails(scope: Any, receive: Any, send: Any) -> None:
        sockets.left.append(weakref.ref(Knot()))
        raise OSError("broken")

    sockets = Sockets()
    application = Garbage(fails)
    for _ in range(10):
        with pytest.raises(OSError, match="broken"):
            await application({"type": "http"}, never, never)
    await eventually(lambda: sockets.knots == 0)


def test_start() -> None:
    """What lives at the start is never looked at again, and growth alone makes no collection."""
    thresholds = gc.get_threshold()
    try:
        Garbage(never).start()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] >= 10_000
        assert gc.get_threshold()[2] >= 100
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
