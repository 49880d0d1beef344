"""A rolling deployment of two gateways, small, in which one thing goes wrong."""

from __future__ import annotations

import pytest

from tests.load.figures import Figure
from tests.rollout.__main__ import SHUTDOWN, figures_of
from tests.rollout.roll import roll
from tests.rollout.sizes import SMOKE
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


def short(figures: list[Figure]) -> set[str]:
    """Return the names of the figures that fall short."""
    return {each.name for each in figures if each.falls_short}


async def test_a_gateway_that_is_killed_is_noticed_and_one_that_drains_is_not(
    stack: RunningStack,
) -> None:
    """Nothing is lost either way; only those at the killed one were not told why."""
    outcome = await roll(stack, SMOKE, kill=True)
    drained = outcome.drained[1]
    told = {each.code for each in outcome.absences if each.began >= drained.began}
    assert told == {SHUTDOWN}, "each whom the second one sent away"
    missed = {"of those, without a close code", "gateway-1: connections sent away"}
    assert short(figures_of(outcome, SMOKE)) == missed, [str(each) for each in outcome.findings]
