"""Two people on two gateways, all the way through RabbitMQ and PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest

from tests.client import Session
from tests.integration.traffic import (
    assert_each_once_in_order,
    fresh_room,
    latencies,
    open_chat,
    percentile_99,
    send,
)
from tests.servers import RunningStack

pytestmark = pytest.mark.servers

MESSAGES = 500


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        pytest.param({}, None, id="as-shipped"),
        pytest.param({"CARILLON_GATEWAY_HEAD_CHECK_SECONDS": "0"}, 1.0, id="bells-alone"),
        pytest.param({"CARILLON_BROKER_BELLS": "0"}, 5.0, id="head-check-alone"),
    ],
)
async def test_both_send_at_once_and_both_get_all_once_in_log_order(
    stack: RunningStack, settings: dict[str, str], seconds: float | None
) -> None:
    """Bells alone are quick, the head check alone is complete, and together they are both."""
    with stack.settings(**settings):
        alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
        room = fresh_room(alice)
        first = open_chat(alice, stack.gateway_url(1), room)
        second = open_chat(bob, stack.gateway_url(2), room)
        async with first, second:
            await asyncio.gather(send(first, MESSAGES), send(second, MESSAGES))
            for client in (first, second):
                await client.wait_for(lambda c: len(c.texts) == 2 * MESSAGES)
        everything = {*first.sent, *second.sent}
        for client in (first, second):
            assert_each_once_in_order(client, everything)
            assert not client.of_type("error")
        crossing = sorted(latencies(first, second) + latencies(second, first))
        print(f"p99 {percentile_99(crossing) * 1000:.1f} ms, max {crossing[-1] * 1000:.1f} ms")
        # Wide bounds: what a machine under load still keeps. The figures are printed.
        if seconds is not None:
            assert crossing[-1] <= seconds
