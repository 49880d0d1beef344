"""Presence at two gateways: one of them dies, pages are loaded again, a channel is crowded."""

from __future__ import annotations

import pytest

from tests.sdk.conftest import clients_of
from tests.sdk.js_client import JsDriver
from tests.sdk.trials.members import crowd_cost
from tests.sdk.trials.presence import kill_one_gateway, load_again
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


async def test_users_of_a_gateway_that_died_are_gone(stack: RunningStack) -> None:
    """
    Within 30 s, in which its lease ends; nobody else is missing from any answer meanwhile.

    It takes as long as that: the lease is what is tried.
    """
    async with JsDriver() as driver:
        gone = await kill_one_gateway(stack, driver, 3, await_leaves=False)
    print(f"gone after {gone.seconds:.1f} s")
    assert (gone.missed, gone.wrong) == ([], [])
    assert gone.seconds <= 30


async def test_pages_that_are_loaded_again(stack: RunningStack) -> None:
    """Nobody hears that their users left, and who comes back to the same gateway is no news."""
    async with JsDriver() as driver:
        loaded = await load_again(stack, driver, 4, away_seconds=3)
    print(loaded)
    assert (loaded.leaves, loaded.joins, loaded.missed) == (0, 0, [])
    # Two people, of whose coming to another gateway both who watch are told once.
    assert loaded.elsewhere == 4


async def test_crowd(stack: RunningStack) -> None:
    """
    In a crowded room each is told how many are there, at most once a second, and not who.

    Whoever asks is told of all of them. What a larger crowd costs is in `make trials`.
    """
    async with clients_of("py") as make:
        cost = await crowd_cost(stack, 410, make, quiet_seconds=0)
    print(cost)
    assert (cost.rows, cost.changes, cost.lost) == (410, 0, 0)
    assert cost.told in {410, 411}
    assert 0 < cost.counts <= 1.1
