"""Gateways that die under traffic."""

from __future__ import annotations

import pytest

from tests.sdk.kills import kill_gateways
from tests.servers import RunningStack


@pytest.mark.servers
@pytest.mark.timeout(300)
async def test_gateways_die_while_everybody_speaks(stack: RunningStack) -> None:
    """20 clients of two SDKs at 50 messages a second: each hears the log, no more and no less."""
    outcome = await kill_gateways(stack, kills=4)
    print(outcome)
    assert [str(finding) for finding in outcome.findings] == []
    # Or nothing was tried.
    assert outcome.recoveries > 0
