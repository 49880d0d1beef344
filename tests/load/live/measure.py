"""What is measured while everybody behaves: memory, latency, accepts, and memory given back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, median

from tests.load.figures import Figure
from tests.load.live.gateway import Gateway, Lag, lag_between
from tests.load.live.programs import Client, Heard, Publisher
from tests.load.live.sizes import Sizes

__all__ = ["NOTICES", "Bench", "accept_figures", "latency_figures", "memory_figures", "returns"]

# Groups of the load client's connections.
CHAT, NOTICES_GROUP = 0, 1
# The other endpoint: one's own channel.
NOTICES = "/ws/notifications/"
WARM_UP = 10

MIN_ACCEPTS = 700
MAX_KILOBYTES = 25
MAX_P99_MS = 100
MAX_KEPT_MEGABYTES = 2

MESSAGE_BYTES = 200
# For what is still on its way when the last message was sent.
ARRIVE_SECONDS = 15
# For connections to end, for the collection that follows, and for memory to come to rest.
END_SECONDS, COLLECT_SECONDS, REST_SECONDS = 30, 20, 5
REST_BYTES = 100_000


@dataclass(frozen=True)
class Bench:
    """What takes part in a run, and who hears how it goes."""

    gateway: Gateway
    client: Client
    publisher: Publisher
    sizes: Sizes
    room: str
    say: Callable[[str], None]

    @property
    def path(self) -> str:
        """Where one hears the room."""
        return f"/ws/chat/{self.room}/"

    def bound(self, value: float) -> float | None:
        """Return a bound, but none for so few that figures mean nothing."""
        return None if self.sizes.is_smoke else value

    def at_rest(self) -> int:
        """Return the gateway's memory once it has stopped to change."""
        deadline = time.monotonic() + REST_SECONDS
        last, now = -REST_BYTES, self.gateway.resident
        while abs(now - last) >= REST_BYTES and time.monotonic() < deadline:
            time.sleep(0.5)
            last, now = now, self.gateway.resident
        return now

    def heard(self, messages: int, listeners: int) -> Heard:
        """Return what a group got, once all of it has come or nothing more does."""
        deadline = time.monotonic() + ARRIVE_SECONDS
        while True:
            report = self.client.report()
            if report.frames >= messages * listeners or time.monotonic() > deadline:
                return report
            time.sleep(0.2)


def memory_figures(bench: Bench) -> list[Figure]:
    """
    Open `many` connections of each endpoint and keep them; of a gateway that had none before.

    Memory that was used once is used again, so a later growth would look smaller than it is.
    """
    sizes = bench.sizes
    bench.client.open(CHAT, WARM_UP, bench.path)
    bench.client.open(NOTICES_GROUP, WARM_UP, NOTICES)
    figures = []
    for group, path, name in ((CHAT, bench.path, "a room"), (NOTICES_GROUP, NOTICES, "own")):
        bench.client.open(group, sizes.few - WARM_UP, path)
        before = bench.at_rest()
        bench.client.open(group, sizes.many - sizes.few, path)
        each = (bench.at_rest() - before) / (sizes.many - sizes.few) / 1e3
        bench.say(f"  {path}: {each:.1f} KB for a connection")
        figures.append(
            Figure(
                f"memory of a connection to {name}, {sizes.few:,} to {sizes.many:,}",
                each,
                "KB",
                at_most=bench.bound(MAX_KILOBYTES),
                aim="<= 20",
            )
        )
    return figures


def latency_figures(bench: Bench) -> list[Figure]:
    """Have messages come to everybody in the room: by RabbitMQ, and from a socket here."""
    sizes = bench.sizes
    messages = int(sizes.per_second * sizes.seconds)
    ways: dict[str, Callable[[], float | None]] = {
        "by RabbitMQ": lambda: bench.publisher.say(
            bench.room, messages, sizes.per_second, MESSAGE_BYTES
        ),
        "from a socket here": lambda: bench.client.talk(
            CHAT, messages, sizes.per_second, MESSAGE_BYTES
        ),
    }
    figures = []
    for name, send in ways.items():
        bench.client.start(CHAT)
        before = bench.gateway.metrics()
        stored = send()
        heard = bench.heard(messages, sizes.many)
        lag = lag_between(before, bench.gateway.metrics())
        bench.say(f"  {name}: p50 {heard.p50_ms:.1f} ms, p99 {heard.p99_ms:.1f} ms")
        figures += way_figures(bench, name, heard, messages, lag)
        if stored is not None:
            figures.append(Figure("  of it the publishing call, mean", stored, "ms"))
    return figures


def way_figures(bench: Bench, name: str, heard: Heard, messages: int, lag: Lag) -> list[Figure]:
    listeners = bench.sizes.many
    # Without all of its frames a latency is none.
    lacking = heard.lacking(messages, listeners)
    return [
        Figure(f"{messages:,} messages {name} to {listeners:,}: lacking", lacking, "", at_most=0),
        Figure("  latency p50", heard.p50_ms, "ms"),
        Figure(
            "  latency p99",
            heard.p99_ms if heard.frames else math.inf,
            "ms",
            at_most=bench.bound(MAX_P99_MS),
            aim="<= 50",
        ),
        Figure("  latency, the slowest", heard.max_ms, "ms"),
        Figure("  event loop's lag meanwhile, mean", lag.mean_ms, "ms"),
        Figure("  event loop's lag meanwhile, below", lag.below_ms, "ms"),
    ]


def returns(bench: Bench) -> list[Figure]:
    """Have everybody leave, and come and leave again and again; compare memory of the ends."""
    sizes = bench.sizes
    leave(bench)
    # Those of the first time came one after the other, with pauses; since then all is alike.
    ends = []
    for _ in range(sizes.returns + 1):
        bench.client.open(CHAT, sizes.many, bench.path)
        bench.client.open(NOTICES_GROUP, sizes.many, NOTICES)
        ends.append(leave(bench))
    first, last = ends[0], ends[-1]
    came = 2 * sizes.many * sizes.returns
    return [
        Figure("memory after all have left", first / 1e6, "MB"),
        Figure(f"  after {came:,} more have come and left", last / 1e6, "MB"),
        Figure(
            "  kept of each 10,000 of those",
            (last - first) / 1e6 / came * 10_000,
            "MB",
            at_most=bench.bound(MAX_KEPT_MEGABYTES),
        ),
    ]


def leave(bench: Bench) -> int:
    """Close all connections; return the memory once what they left has been collected."""
    before = bench.gateway.collections()
    bench.client.close(CHAT)
    bench.client.close(NOTICES_GROUP)
    if not bench.gateway.wait_until(lambda: bench.gateway.connections() == 0, END_SECONDS):
        raise RuntimeError(f"{bench.gateway.connections():g} connections did not end.")
    # Once when they have left, and again before what is free is given back. So few of a trial leave
    # too little for either.
    if not bench.sizes.is_smoke and not bench.gateway.wait_until(
        lambda: bench.gateway.collections() >= before + 2, COLLECT_SECONDS
    ):
        raise RuntimeError(f"Nothing was collected within {COLLECT_SECONDS} s of the last end.")
    resident = bench.at_rest()
    bench.say(f"  all have left: {resident / 1e6:.1f} MB")
    return resident


def accept_figures(bench: Bench) -> list[Figure]:
    """Open connections in rounds, half of each endpoint; one core's worth is 1 / CPU seconds."""
    sizes = bench.sizes
    half = sizes.accepts // 2
    rounds = []
    for number in range(sizes.rounds + 1):
        halves = [
            bench.client.open(CHAT, half, bench.path),
            bench.client.open(NOTICES_GROUP, half, NOTICES),
        ]
        bench.client.close(CHAT)
        bench.client.close(NOTICES_GROUP)
        bench.gateway.wait_until(lambda: bench.gateway.connections() == 0, END_SECONDS)
        if number:
            rounds.append(halves)

    def cpu(which: slice) -> float:
        each = [[float(one["cpu_seconds"]) / half for one in halves[which]] for halves in rounds]
        return median(fmean(values) for values in each)

    each = cpu(slice(0, 2))
    wall = median(2 * half / sum(one["seconds"] for one in halves) for halves in rounds)
    bench.say(f"  {1 / each:,.0f} accepts/s for a core, {wall:,.0f}/s by the clock")
    return [
        Figure(
            "authenticated accepts, by CPU time",
            1 / each,
            "/s/core",
            at_least=bench.bound(MIN_ACCEPTS),
            aim=">= 1,000",
        ),
        Figure("  CPU time of one to a room", cpu(slice(0, 1)) * 1e3, "ms"),
        Figure("  CPU time of one to one's own channel", cpu(slice(1, 2)) * 1e3, "ms"),
        Figure("  by the wall clock", wall, "/s"),
    ]
