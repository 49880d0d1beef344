"""What is measured while some misbehave: they read nothing, or send without end."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import mean, median

from services.gateway.closecodes import CloseCode
from tests.load.figures import Figure
from tests.load.live.measure import Bench
from tests.load.live.programs import Heard

__all__ = ["storm_figures"]

LISTENERS, STALLED, FLOODERS = 2, 3, 4
MESSAGE_BYTES = 7_900
MAX_GROWN_MEGABYTES = 60
# What others may take longer than before: a share, or so much.
SLOWER, SLOWER_MS = 1.2, 20
LOOK_SECONDS = 0.25
# No collection comes later after the last connection's end.
QUIET_SECONDS = 13
# For the gateway to have told everybody off.
CLOSE_SECONDS = 15
# A reader's that is far away and slow: what it does not take waits in the gateway, not here.
STALLED_BUFFER = 4_096
# What the gateway has taken of those who flood.
TAKEN = 'carillon_gateway_messages_received_total{kind="chat",type="publish"}'


@dataclass(frozen=True)
class Spoken:
    """
    What came of filling the room.

    Attributes:
        windows: what was heard, in each window of the time.
        stored_ms: the publisher's part of a message's way, on average.
        peak: the most memory that the gateway had, in bytes.
    """

    windows: Sequence[Heard]
    stored_ms: float
    peak: int

    @property
    def p50_ms(self) -> float:
        return median(heard.p50_ms for heard in self.windows)

    @property
    def p99_ms(self) -> float:
        """The median of the windows, as a disk that is slow once makes a window's p99."""
        return median(heard.p99_ms if heard.frames else math.inf for heard in self.windows)

    def lacking(self, messages: int, listeners: int) -> int:
        """Return how many deliveries were not made, of so many messages in each window."""
        return sum(heard.lacking(messages, listeners) for heard in self.windows)


def storm_figures(bench: Bench, other_room: str) -> list[Figure]:
    """Compare latency and memory before and while connections misbehave."""
    sizes = bench.sizes
    settle(bench)
    bench.client.open(LISTENERS, sizes.listeners, bench.path)
    bench.client.open(STALLED, sizes.misfits, bench.path, STALLED_BUFFER)
    bench.client.open(FLOODERS, sizes.misfits, f"/ws/chat/{other_room}/")
    calm = speak(bench, sizes.calm_seconds)
    before = bench.at_rest()
    closed = told_off(bench)
    flooding = bench.gateway.closed_with(CloseCode.TOO_MANY_REQUESTS)
    taken = bench.gateway.metrics().get(TAKEN, 0.0)
    began = time.monotonic()
    bench.client.stall(STALLED)
    bench.client.flood(FLOODERS)
    storm = speak(bench, sizes.storm_seconds)
    taken = (bench.gateway.metrics().get(TAKEN, 0.0) - taken) / (time.monotonic() - began)

    def slow() -> float:
        return told_off(bench) - closed

    if not sizes.is_smoke:
        bench.gateway.wait_until(lambda: slow() >= sizes.misfits, CLOSE_SECONDS)
    bench.say(
        f"  p99 {calm.p99_ms:.1f} ms before, {storm.p99_ms:.1f} ms meanwhile; "
        f"{slow():g} closed as slow or silent"
    )
    bound = max(SLOWER * calm.p99_ms, calm.p99_ms + SLOWER_MS)
    figures = [
        *shared(bench, "before", calm, messages_in(bench, sizes.calm_seconds), None),
        *shared(
            bench,
            f"while {sizes.misfits} stall, {sizes.misfits} flood",
            storm,
            messages_in(bench, sizes.storm_seconds),
            bench.bound(bound),
        ),
        Figure(
            "  memory grown by, at most",
            (storm.peak - before) / 1e6,
            "MB",
            at_most=bench.bound(MAX_GROWN_MEGABYTES),
        ),
        Figure(
            "  stalled ones closed (3008, 3012)",
            slow(),
            f"of {sizes.misfits}",
            at_least=bench.bound(sizes.misfits),
        ),
        Figure(
            "  flooding ones closed as such (3013)",
            bench.gateway.closed_with(CloseCode.TOO_MANY_REQUESTS) - flooding,
            f"of {sizes.misfits}",
        ),
        Figure("  messages taken of those", taken, "/s"),
    ]
    for group in (LISTENERS, STALLED, FLOODERS):
        bench.client.close(group)
    return figures


def told_off(bench: Bench) -> float:
    """Return how many were closed because they do not read, or had not answered a ping before."""
    return bench.gateway.closed_with(CloseCode.SLOW) + bench.gateway.closed_with(CloseCode.NO_PONG)


def settle(bench: Bench) -> None:
    """Wait until what has left before is collected, which stops the event loop for a moment."""
    if bench.sizes.is_smoke:
        return
    seen, since = bench.gateway.collections(), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(LOOK_SECONDS)
        if (now := bench.gateway.collections()) != seen:
            seen, since = now, time.monotonic()


def messages_in(bench: Bench, seconds: float) -> int:
    """Return how many messages are said in a window, of so many seconds in all."""
    return int(seconds * bench.sizes.storm_per_second / bench.sizes.windows)


def shared(
    bench: Bench, when: str, spoken: Spoken, messages: int, at_most: float | None
) -> list[Figure]:
    """Return the figures of those who behave."""
    sizes = bench.sizes
    kilobytes = sizes.storm_per_second * MESSAGE_BYTES / 1e3
    return [
        Figure(
            f"{sizes.listeners:,} hear {kilobytes:g} KB/s, {when}: lacking",
            spoken.lacking(messages, sizes.listeners),
            "",
            at_most=0,
        ),
        Figure("  latency p50", spoken.p50_ms, "ms"),
        Figure("  latency p99", spoken.p99_ms, "ms", at_most=at_most),
        Figure("  of it the publishing call, mean", spoken.stored_ms, "ms"),
    ]


def speak(bench: Bench, seconds: float) -> Spoken:
    """Fill the room for so long, and look at the gateway's memory meanwhile."""
    sizes = bench.sizes
    messages = messages_in(bench, seconds)
    windows, stored, peak = [], [], 0
    for _ in range(sizes.windows):
        bench.client.start(LISTENERS)
        with ThreadPoolExecutor(1) as thread:
            said = thread.submit(
                bench.publisher.say, bench.room, messages, sizes.storm_per_second, MESSAGE_BYTES
            )
            while not said.done():
                peak = max(peak, bench.gateway.resident)
                time.sleep(LOOK_SECONDS)
        stored.append(said.result())
        windows.append(bench.heard(messages, sizes.listeners))
    return Spoken(windows, mean(stored), peak)
