"""
Repair: fill a channel's hole from the log, and look for holes that no later bell would show.

A bell may overtake another, so a hole gets a moment to close by itself before the log is read.
The head check compares every served channel with the log every few seconds: only it can find
that the last publication of a burst is missing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.hub import Hub, LiveChannel, Verdict
from shared.broker.wire import Published
from shared.realtime import streams
from shared.realtime.deployment import renew_after_failover
from shared.realtime.positions import Position
from shared.telemetry import metrics

__all__ = ["Repair"]

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 0.03
_PAGE_PUBLICATIONS = 1_000
_SLICE_STREAMS = 1_000


@dataclass(frozen=True, slots=True)
class _Page:
    head: Position
    publications: list[Published]


class Repair:
    """Keeps the hub's channels level with the log."""

    def __init__(self, database: DatabaseThreads, bells_are_down: Callable[[], bool]) -> None:
        self._database = database
        # While no bells come, rounds are twice as quick.
        self._bells_are_down = bells_are_down
        self.hub = Hub(self.on_gap)
        # One repair per channel at a time; who asks meanwhile waits for the same.
        self._running: dict[LiveChannel, asyncio.Task[None]] = {}
        self._check_now = asyncio.Event()

    def on_gap(self, live: LiveChannel, verdict: Verdict) -> None:
        """Read the log in a moment, unless the hole has closed by then."""
        if live not in self._running:
            grace = _GRACE_SECONDS if verdict is Verdict.EARLY else 0.0
            self._begin(live, cause=verdict.value, grace=grace)

    async def level(self, live: LiveChannel) -> None:
        """
        Bring a channel to where the log stands now.

        Raises:
            DatabaseAway: the log cannot be read; the head check will try again.
        """
        while (running := self._running.get(live)) is not None:
            # It may have read before what the caller knows of was committed.
            await asyncio.wait({running})
        await asyncio.shield(self._begin(live, cause="subscribe", grace=0.0))

    def check_soon(self) -> None:
        """Run a head check of all channels now, as after a time without bells."""
        self._check_now.set()

    async def run(self) -> None:
        """Compare all channels with the log, round after round, for ever."""
        interval = settings.CARILLON_GATEWAY_HEAD_CHECK_SECONDS
        if interval == 0:
            logger.warning("The head check is switched off: what no bell tells is never delivered.")
            return
        while True:
            round_seconds = interval / 2 if self._bells_are_down() else interval
            served = {live.stream_id: live for live in self.hub if live.stream_id is not None}
            ids = list(served)
            slices = [ids[i : i + _SLICE_STREAMS] for i in range(0, len(ids), _SLICE_STREAMS)]
            for part in slices or [[]]:
                await self._check(part, served)
                pause = round_seconds / max(1, len(slices))
                try:
                    async with asyncio.timeout(pause):
                        await self._check_now.wait()
                except TimeoutError:
                    continue
                self._check_now.clear()
                break

    async def _check(self, ids: list[int], served: dict[int, LiveChannel]) -> None:
        try:
            heads = await self._database.run(_heads, ids)
        except DatabaseAway:
            metrics.HEAD_CHECKS.labels(result="error").inc(len(ids))
            return
        behind = [
            served[head.stream_id]
            for head in heads
            if head.position != served[head.stream_id].position
        ]
        metrics.HEAD_CHECKS.labels(result="current").inc(len(ids) - len(behind))
        metrics.HEAD_CHECKS.labels(result="behind").inc(len(behind))
        for live in behind:
            if live not in self._running and not live.is_idle:
                self._begin(live, cause="head_check", grace=0.0)

    def _begin(self, live: LiveChannel, *, cause: str, grace: float) -> asyncio.Task[None]:
        task = asyncio.create_task(self._fill(live, cause, grace))
        self._running[live] = task

        def ended(task: asyncio.Task[None]) -> None:
            if self._running.get(live) is task:
                del self._running[live]
            # Asked for, so that a failure nobody waited for is not reported as forgotten.
            if not task.cancelled() and (error := task.exception()) is not None:
                if not isinstance(error, DatabaseAway):
                    logger.error("Repairing %s failed.", live.kind, exc_info=error)
            elif live.is_waiting and not live.is_idle and self._running.get(live) is None:
                self.on_gap(live, Verdict.EARLY)

        task.add_done_callback(ended)
        return task

    async def _fill(self, live: LiveChannel, cause: str, grace: float) -> None:
        started = time.monotonic()
        if grace:
            await asyncio.sleep(grace)
            if not live.is_waiting:
                return
        found = 0
        while live.position is not None and live.stream_id is not None and not live.is_idle:
            before = live.position
            page = await self._database.run(_page_after, live.channel, before)
            if page.head.epoch != before.epoch or page.head.offset < before.offset:
                # Another numbering; or the database went back in time and nobody said so.
                logger.warning(
                    "A %s channel's numbering changed: its readers start anew.", live.kind
                )
                metrics.GAPS.labels(cause="epoch").inc()
                live.reset(page.head)
                return
            for publication in page.publications:
                live.accept(publication)
            found += len(page.publications)
            if live.position.offset >= page.head.offset:
                break
            if live.position == before:
                # What follows was trimmed before it was read.
                metrics.GAPS.labels(cause="trimmed").inc()
                live.reset(page.head)
                return
        if found:
            metrics.GAPS.labels(cause=cause).inc()
            metrics.GAP_REPAIR_DURATION.observe(time.monotonic() - started)


def _heads(ids: list[int]) -> list[streams.Head]:
    renew_after_failover()
    return streams.heads(ids)


def _page_after(channel: str, position: Position) -> _Page:
    head = streams.touch(channel)
    if head.position.epoch != position.epoch or head.position.offset <= position.offset:
        return _Page(head.position, [])
    rows = streams.read(
        channel,
        head.stream_id,
        head.position,
        after=position.offset,
        limit=_PAGE_PUBLICATIONS,
        byte_limit=8 * 1024 * 1024,
    )
    return _Page(head.position, rows)
