"""What the dashboards show of a stack under a load that knows what it did."""

from __future__ import annotations

import pytest

from tests.servers import RunningStack
from tests.watching.contract import hold, table

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


async def test_every_panel_shows_what_the_load_did(stack: RunningStack) -> None:
    """
    Of a Prometheus that scrapes each second: counts exactly, times in the bucket that was seen.

    `python -m tests.watching` shows the table by itself.
    """
    rows = await hold(stack)
    print(table(rows))
    wrong = {row.where: row.complaint for row in rows if row.complaint}
    assert wrong == {}
