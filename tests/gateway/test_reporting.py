from __future__ import annotations

import asyncio
import time

from services.gateway.reporting import Reporter
from services.gateway.runtime import Gateway
from shared.presence.models import Report
from shared.presence.reports import reports_of
from shared.telemetry import build, metrics


async def test_gateway_says_how_it_fares(gateway: Gateway) -> None:
    """From its start on, where every web process can read it."""
    uid = gateway.presence.incarnation
    async with asyncio.timeout(10):
        while not (found := await gateway.database.run(reports_of, [uid])):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    told = found[uid]
    assert told.version == build.VERSION
    assert told.rss > 10_000_000
    assert await gateway.database.run(Report.objects.count) == 1


async def test_report_is_of_the_time_since_the_last(gateway: Gateway) -> None:
    """Processor time and counts; what was before counts not again."""
    reporter = Reporter(gateway.database, "x")
    metrics.MESSAGES_SENT.labels(kind="poll").inc(3)
    metrics.MESSAGES_SENT.labels(kind="tick").inc(4)
    until = time.process_time() + 0.02
    while time.process_time() < until:
        pass
    said = reporter.condition()
    assert said.items["messages_sent"] == 7
    assert said.items["recoveries"] == 0
    # Both are rounded.
    assert said.cpu * said.interval / 100 >= 0.018
    assert reporter.condition().items["messages_sent"] == 0
