"""Five ways to lose a subscription or a connection, with RabbitMQ and without it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.sdk.js_client import JsDriver
from tests.sdk.trials.endings import Ended, end_access
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


def assert_ended(found: dict[str, Ended], within: float) -> None:
    for way, ended in found.items():
        print(f"{way}: {max(ended.seconds):.3f} s")
    assert {way: ended.wrong for way, ended in found.items() if ended.wrong} == {}
    assert max(second for ended in found.values() for second in ended.seconds) <= within


async def test_what_is_taken_away_ends_at_once(stack: RunningStack) -> None:
    """
    An account, a session, a membership or a permission: clients of both SDKs are told of the end.

    What is not meant stays: other subscriptions, and other people's.
    """
    async with JsDriver() as driver:
        # A wide bound, which a machine under load keeps; the figures are printed.
        assert_ended(await end_access(stack, driver, 2), within=3)


async def test_what_is_taken_away_ends_without_rabbitmq(stack: RunningStack) -> None:
    """The head check finds all of these within 10 s."""

    async def without_rabbitmq(act: Callable[[], Awaitable[None]]) -> None:
        await asyncio.to_thread(stack.stop_rabbitmq)
        try:
            await act()
        finally:
            await asyncio.to_thread(stack.start_rabbitmq)

    async with JsDriver() as driver:
        found = await end_access(stack, driver, 1, meanwhile=without_rabbitmq)
    assert_ended(found, within=10)
