"""Gateways that die under traffic."""

from __future__ import annotations

import pytest

from tests.sdk.kills import kill_gateways
from tests.sdk.seeded import undetected
from tests.servers import RunningStack


@pytest.mark.servers
async def test_gateways_die_while_everybody_speaks(stack: RunningStack) -> None:
    """
    20 clients of two SDKs at 50 messages a second: each hears the log, no more and no less.

    What five defects would have left of this run's own records is found in each of them.
    """
    outcome = await kill_gateways(stack, kills=2)
    print(outcome)
    assert [str(finding) for finding in outcome.findings] == []
    assert undetected(outcome.log, outcome.records) == []
    # Or nothing was tried.
    assert outcome.recoveries > 0
