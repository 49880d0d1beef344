"""
Repair: fill a channel's hole from the log, and look for holes that no later bell would show.

A bell may overtake another, so a hole gets a moment to close by itself before the log is read.
The head check compares every served channel with the log every few seconds: only it can find
that the last publication of a burst is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
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

__all__ = ["Repair", "is_before"]

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 0.03
# For a channel that waits for what the log does not have.
_IN_VAIN_SECONDS = 1.0
# A page is delivered in one step of the event loop: it must be nobody's flood.
_PAGE_PUBLICATIONS = 200
_PAGE_BYTES = 64 * 1024
_SLICE_STREAMS = 1_000


@dataclass(frozen=True, slots=True)
class _Page:
    stream_id: int
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
        self._running: dict[LiveChannel, asyncio.Task[bool]] = {}
        self._check_now = asyncio.Event()

    def on_gap(self, live: LiveChannel, verdict: Verdict) -> None:
        """Read the log in a moment, unless the hole has closed by then."""
        if live not in self._running:
            grace = _GRACE_SECONDS if verdict is Verdict.EARLY else 0.0
            self._begin(live, cause=verdict.value, grace=grace)

    async def level(self, live: LiveChannel, head: Position) -> None:
        """
        Bring a channel to where somebody has seen the log stand.

        Args:
            live: the channel.
            head: that place.

        Raises:
            DatabaseAway: the log cannot be read; the head check will try again.
        """
        if (running := self._running.get(live)) is not None:
            # It may have read before what the caller knows of was committed; the next one has not.
            await asyncio.wait({running})
            if not is_before(live.position, head):
                return
        task = self._running.get(live) or self._begin(live, cause="subscribe", grace=0.0)
        await asyncio.shield(task)

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
            # Asked for: all channels at once, not spread over the round.
            at_once = self._check_now.is_set()
            self._check_now.clear()
            round_seconds = interval / 2 if self._bells_are_down() else interval
            served = {live.stream_id: live for live in self.hub if live.stream_id is not None}
            ids = list(served)
            slices = [ids[i : i + _SLICE_STREAMS] for i in range(0, len(ids), _SLICE_STREAMS)]
            for part in slices or [[]]:
                await self._check([served[stream_id] for stream_id in part])
                if at_once:
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(round_seconds / max(1, len(slices))):
                        await self._check_now.wait()
                    break

    async def _check(self, channels: list[LiveChannel]) -> None:
        asked = [(live, live.stream_id, live.position) for live in channels]
        try:
            heads = await self._database.run(_heads, [i for _, i, _ in asked if i is not None])
        except DatabaseAway:
            metrics.HEAD_CHECKS.labels(result="error").inc(len(asked))
            return
        found = {head.stream_id: head.position for head in heads}
        behind = [
            live
            for live, stream_id, before in asked
            if not live.is_idle and _is_behind(live, before, found.get(stream_id or 0))
        ]
        metrics.HEAD_CHECKS.labels(result="current").inc(len(asked) - len(behind))
        metrics.HEAD_CHECKS.labels(result="behind").inc(len(behind))
        for live in behind:
            if live not in self._running:
                self._begin(live, cause="head_check", grace=0.0)

    def _begin(self, live: LiveChannel, *, cause: str, grace: float) -> asyncio.Task[bool]:
        task = asyncio.create_task(self._fill(live, cause, grace))
        self._running[live] = task

        def ended(task: asyncio.Task[bool]) -> None:
            if self._running.get(live) is task:
                del self._running[live]
            if task.cancelled():
                return
            # Asked for, so that a failure nobody waited for is not reported as forgotten.
            if (error := task.exception()) is not None:
                if not isinstance(error, DatabaseAway):
                    logger.error("Repairing a %s channel failed.", live.kind, exc_info=error)
            elif live.is_waiting and not live.is_idle and live not in self._running:
                grace = _GRACE_SECONDS if task.result() else _IN_VAIN_SECONDS
                self._begin(live, cause=Verdict.EARLY.value, grace=grace)

        task.add_done_callback(ended)
        return task

    async def _fill(self, live: LiveChannel, cause: str, grace: float) -> bool:
        """Read and deliver what the channel lacks; return whether there was anything."""
        started = time.monotonic()
        if grace:
            await asyncio.sleep(grace)
            if not live.is_waiting:
                return True
        found = 0
        while live.position is not None and live.stream_id is not None and not live.is_idle:
            before = live.position
            page = await self._database.run(_page_after, live.channel, before)
            if page.head.epoch != before.epoch or page.head.offset < before.offset:
                # Another numbering; or the database went back in time and nobody said so.
                logger.warning(
                    "A %s channel's numbering changed: its readers start anew.", live.kind
                )
                self._reset(live, page, cause="epoch")
                return True
            live.stream_id = page.stream_id
            for publication in page.publications:
                live.accept(publication)
            found += len(page.publications)
            if live.position.offset >= page.head.offset:
                break
            if live.position == before:
                # What follows was trimmed before it was read.
                self._reset(live, page, cause="trimmed")
                return True
        if found:
            metrics.GAPS.labels(cause=cause).inc()
            metrics.GAP_REPAIR_DURATION.observe(time.monotonic() - started)
        return found > 0

    def _reset(self, live: LiveChannel, page: _Page, *, cause: str) -> None:
        metrics.GAPS.labels(cause=cause).inc()
        live.reset(page.stream_id, page.head)


def is_before(position: Position | None, other: Position | None) -> bool:
    """Say whether a position is earlier in the same numbering."""
    return (
        position is not None
        and other is not None
        and position.epoch == other.epoch
        and position.offset < other.offset
    )


def _is_behind(live: LiveChannel, before: Position | None, head: Position | None) -> bool:
    """Judge a head that was read while the channel went on from `before` to where it is now."""
    if head is None or before is None or live.position is None:
        # No row: the stream was replaced under us.
        return head is None
    return (
        head.epoch != live.position.epoch
        or head.offset > live.position.offset
        or head.offset < before.offset
    )


def _heads(ids: list[int]) -> list[streams.Head]:
    renew_after_failover()
    return streams.heads(ids)


def _page_after(channel: str, position: Position) -> _Page:
    head = streams.touch(channel)
    if head.position.epoch != position.epoch or head.position.offset <= position.offset:
        return _Page(head.stream_id, head.position, [])
    rows = streams.read(
        channel,
        head.stream_id,
        head.position,
        after=position.offset,
        limit=_PAGE_PUBLICATIONS,
        byte_limit=_PAGE_BYTES,
    )
    return _Page(head.stream_id, head.position, rows)
