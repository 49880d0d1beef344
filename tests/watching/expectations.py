"""What each panel must show after the load: its counts, or a band where a count cannot say it."""

from __future__ import annotations

import bisect
import math
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.watching.counted import Counted

__all__ = ["EXPECTED", "OURS", "Band", "Count", "Expected", "Facts", "Unseen"]

ANY = math.inf
# As prometheus-client has them, and those of deliveries, of connections and of jobs.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
DELIVERY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
DURATION = (1, 10, 60, 300)
JOB = (0.1, 0.5, 1, 5, 10, 30, 60, 300)
# The least and the most that a gateway of ours takes, in bytes.
MEMORY = (40e6, 1e9)
OURS = "0.1.0 unknown"


@dataclass(frozen=True)
class Facts:
    """What the expectations are made of."""

    counted: Counted
    # What the rehearsal did, which a window of minutes holds, too.
    rehearsed: Counted
    # Seconds from before the load to after it.
    window: int
    # The names that gateways have in the table, by their instance.
    instances: Mapping[str, str]

    @property
    def gateways(self) -> list[str]:
        return list(self.instances.values())


@dataclass(frozen=True)
class Count:
    """
    These numbers, exactly; a series that is not named is 0.

    Of a counter it is what was counted over the run, and its rate must be that, too, as exactly as
    Prometheus extrapolates.
    """

    values: Mapping[str, float]

    def bounds(self, name: str) -> tuple[float, float]:
        """Return the least and the most of a series."""
        return self.values.get(name, 0), self.values.get(name, 0)

    def names(self) -> set[str]:
        """Return the series that it speaks of."""
        return set(self.values)


@dataclass(frozen=True)
class Band:
    """Between two numbers, ends included; by series, or the same for each that there is."""

    values: Mapping[str, tuple[float, float]] | tuple[float, float]
    # What the band is, for the table.
    because: str
    # Whether it may have no value at all.
    may_lack: bool = False

    def bounds(self, name: str) -> tuple[float, float]:
        """Return the least and the most of a series; of one that is not named, 0."""
        return self.values.get(name, (0, 0)) if isinstance(self.values, Mapping) else self.values

    def names(self) -> set[str]:
        """Return the series that it speaks of."""
        return set(self.values) if isinstance(self.values, Mapping) else set()


@dataclass(frozen=True)
class Unseen:
    """No value, for this reason."""

    because: str


type Expected = Count | Band | Unseen
type Rule = Callable[[Facts], Expected]


def one(value: float) -> Count:
    return Count({"": value})


def zero(_: Facts) -> Expected:
    return Count({})


def up_to(seconds: Sequence[float], buckets: Sequence[float] = BUCKETS) -> tuple[float, float]:
    """Return the band of a quantile: no higher than the bucket of the longest that was seen."""
    longest = max(seconds)
    place = bisect.bisect_left(buckets, longest)
    return 0.0, float(buckets[place]) if place < len(buckets) else ANY


def quantile(of: Callable[[Counted], Sequence[float]], buckets: Sequence[float] = BUCKETS) -> Rule:
    def rule(facts: Facts) -> Expected:
        low, high = up_to(of(facts.counted), buckets)
        return Band((low, high), f"the slowest that was seen took {max(of(facts.counted)):.3f} s")

    return rule


def quantiles(names: Sequence[str], of: Callable[[Counted], Sequence[float]]) -> Rule:
    def rule(facts: Facts) -> Expected:
        found = up_to(of(facts.counted))
        words = f"the slowest that was seen took {max(of(facts.counted)):.3f} s"
        return Band(dict.fromkeys(names, found), words)

    return rule


def count(of: Callable[[Counted], float]) -> Rule:
    return lambda facts: one(of(facts.counted))


def counts(of: Callable[[Counted], Mapping[Any, float]]) -> Rule:
    def rule(facts: Facts) -> Expected:
        found = of(facts.counted)
        return Count({" ".join(k) if isinstance(k, tuple) else str(k): v for k, v in found.items()})

    return rule


def band(low: float, high: float, because: str, *, may_lack: bool = False) -> Rule:
    return lambda facts: Band((low, high), because, may_lack)


def by_gateway(low: float, high: float, because: str) -> Rule:
    return lambda facts: Band(dict.fromkeys(facts.gateways, (low, high)), because)


def each_gateway(value: float) -> Rule:
    return lambda facts: Count(dict.fromkeys(facts.gateways, value))


def open_by_gateway(facts: Facts) -> Expected:
    return Count({f"gateway {number}": n for number, n in facts.counted.open.items()})


def limit() -> int:
    """Return what a gateway takes by default: as many as the system lets it have files."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 10_000 if hard == resource.RLIM_INFINITY else min(10_000, hard - 200)


def lasted(facts: Facts) -> Expected:
    most = up_to([facts.window], DURATION)
    return Band(most, f"nobody could stay longer than the load's {facts.window} s")


def subscriptions(facts: Facts) -> Expected:
    everybody, clients = facts.counted.open.total(), facts.counted.clients
    # The gateways' own are those of controls and of revocations.
    ours = dict.fromkeys(("controls", "revocations"), len(facts.gateways))
    return Count({"chat": everybody, "announcements": everybody, "user": clients, **ours})


def channels(facts: Facts) -> Expected:
    # At each gateway: the room, the announcements and its own two; and one user's at the second.
    return one(4 * len(facts.gateways) + 1)


def refused_share(first: str) -> Rule:
    def rule(facts: Facts) -> Expected:
        statuses = facts.counted.statuses()
        part = sum(number for status, number in statuses.items() if status.startswith(first))
        return one(part / statuses.total())

    return rule


def burn(facts: Facts) -> Expected:
    statuses = facts.counted.statuses() + facts.rehearsed.statuses()
    value = statuses["503"] / statuses.total() / 0.001
    words = f"{value:.1f}, of which Prometheus has not seen how the first series began"
    return Band((value / 2, value * 1.5), words)


def slow_burn(facts: Facts) -> Expected:
    if max(facts.counted.latencies) < 1:
        return one(0)
    return Band((0, 100), "some took longer than a second")


def spread(facts: Facts) -> Expected:
    # Each message goes to three groups: the plain ones of two gateways, the clients of one.
    all_of_it = 3 * facts.counted.committed.total()
    values = {f"{bound:.10g}": (0.0, float(all_of_it)) for bound in DELIVERY}
    values = {(name if "." in name else f"{name}.0"): v for name, v in values.items()}
    values["+Inf"] = (all_of_it, all_of_it)
    return Band(values, f"{all_of_it} in all: each message to three groups", may_lack=True)


def received_bytes(facts: Facts) -> Expected:
    said = facts.counted.bytes_sent
    # Clients send ids and tokens of their own.
    return Band((said, said + 20_000), f"{said} of messages, and the frames of the SDK's clients")


def sent_bytes(facts: Facts) -> Expected:
    least = facts.counted.bytes_heard
    return Band((least, 2 * least), f"{least} of messages that sockets got, and their frames")


def probes(facts: Facts) -> Expected:
    most = 2 * facts.window * len(facts.gateways)
    said = facts.counted.committed.total() + facts.counted.committed["jobs"]
    return Band(
        {
            "probe": (most / 4, most + 4),
            # Each gateway hears each bell; one bell may have many messages.
            "bell": (2, len(facts.gateways) * (said + 20)),
            "fan_out": (2, 20),
            "malformed": (0, 0),
        },
        "two probes a second and gateway; at most a bell for each message",
    )


def routes(facts: Facts) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for (method, route, _), number in facts.counted.answers.items():
        found[f"{method} {route}"] = found.get(f"{method} {route}", 0) + number
    return found


def by_route(facts: Facts) -> Expected:
    return Count(routes(facts))


def failing_routes(facts: Facts) -> Expected:
    failed = {k: v for k, v in facts.counted.answers.items() if k[2].startswith("5")}
    return Count({f"{method} {route}": number for (method, route, _), number in failed.items()})


def busy_routes(facts: Facts) -> Expected:
    seconds = sum(facts.counted.answer_seconds)
    words = f"all answers together took {seconds:.1f} s at the client"
    return Band(dict.fromkeys(routes(facts), (0, seconds)), words, may_lack=True)


def slow_routes(facts: Facts) -> Expected:
    found = up_to(facts.counted.answer_seconds)
    words = f"the slowest that was seen took {max(facts.counted.answer_seconds):.3f} s"
    return Band(dict.fromkeys(routes(facts), found), words)


def tasks(facts: Facts) -> Expected:
    rounds = (0, facts.window / 5 + 3)
    names = ("sweep_jobs", "probe", "trim_streams", "watch_timeline", "watch_snapshots")
    others = {f"worker.{name} success": rounds for name in (*names, "forget_receipts")}
    # Two lanes work on a job, and each may come back.
    values = {"bulk.drain success": (2, 12), "bulk.probe success": rounds, **others}
    return Band(values, "two lanes of one job, and beat's rounds", may_lack=True)


def task_names(facts: Facts) -> Expected:
    return Band((0, 60), "a task that takes longer is killed")


def user_publications(service: str) -> Rule:
    def rule(facts: Facts) -> Expected:
        counted = facts.counted
        told = counted.recipients["delivered"]
        values: dict[str, tuple[float, float]] = {}
        if service in {"worker", "all"}:
            # And the bar of its page, to whoever started it.
            values["user"] = (told + 1, told + 20)
        said = counted.committed["gateway"] if service == "gateway" else 0
        said = counted.committed["web"] if service == "web" else said
        said = counted.committed.total() if service == "all" else said
        if said:
            values["chat"] = (said, said)
        if service == "web":
            # That the job was started.
            values["user"] = (0, 5)
        suffix = "" if service == "all" else " committed"
        words = f"{said} messages" if said else f"{told} recipients, and a bar that moves"
        return Band({f"{kind}{suffix}": v for kind, v in values.items()}, words)

    return rule


def jobs(facts: Facts) -> Expected:
    unfinished = ("draft", "planning", "running", "paused")
    return Count({state: facts.counted.jobs[state] for state in unfinished})


def shared(uid: str, service: str) -> dict[tuple[str, str], Rule]:
    """Say what the last row of three dashboards shows."""
    slow = band(0, 10, "a database and a RabbitMQ of this machine")
    return {
        (uid, "Publications by namespace"): user_publications(service),
        (uid, "Time to commit a publication"): slow,
        (uid, "Time to ring: 99 %"): slow,
        (uid, "Bells that did not ring"): zero,
        (uid, "Lost deadlocks: retries"): band(0, 5, "the load has none; rounds of others may"),
    }


def pools(uid: str) -> dict[tuple[str, str], Rule]:
    """Say what it shows of database connections."""
    return {
        (uid, "Database connections"): lambda facts: Band(
            {"idle": (0, 100), "used": (0, 100)}, "at most what the pools may hold"
        ),
        (uid, "Database connections: limit"): band(4, 100, "four for each process"),
        (uid, "Database connections: threads that wait"): zero,
        (uid, "Waited in vain: in vain"): zero,
    }


NO_EXPORTER = "this stack runs no exporter of it"
SLOW_BELLS = "as quick as this machine is; a confirm takes a round trip"
CHURN = "the load cuts nobody's bells; a machine that is busy for a second does"

OVERVIEW: dict[str, Rule] = {
    "Connections": count(lambda c: c.open.total()),
    "Deliveries": count(lambda c: c.delivered),
    "Delivery, 99th percentile": quantile(lambda c: c.latencies, DELIVERY),
    "Requests": count(lambda c: c.answers.total()),
    "Requests that failed": refused_share("5"),
    # Of the two that this Prometheus has, the one whose name is ours.
    "Alerts that fire": lambda facts: one(1),
    "Budget of slow deliveries: over 5 minutes": slow_burn,
    "Budget of slow deliveries: over 1 hour": slow_burn,
    "Budget of failed requests: over 5 minutes": burn,
    "Budget of failed requests: over 1 hour": burn,
    "What runs": lambda facts: Count(
        {"gateway": len(facts.gateways), "web": 1, "worker": 2, "beat": 1}
    ),
    "Connections by gateway": open_by_gateway,
    "Connections that ended badly": counts(
        lambda c: {code: n for code, n in c.closed_by_code.items() if code == "1006"}
    ),
    "Publications that were dropped": zero,
    "Gateways without bells": zero,
    "Requests by status": counts(lambda c: c.statuses()),
    "Time to answer: 50 %": quantile(lambda c: c.answer_seconds),
    "Time to answer: 95 %": quantile(lambda c: c.answer_seconds),
    "Publications": user_publications("all"),
    "Tasks": lambda facts: Band(
        {"success": (4, facts.window + 12), "failure": (0, 0), "timeout": (0, 0)},
        "two lanes of one job, and beat's rounds",
    ),
    "Jobs": jobs,
    "Recipients": counts(lambda c: c.recipients),
    "Tasks that wait": band(0, 1, "workers have nothing else to do"),
    "Time to hand a bell over": band(0, 5, SLOW_BELLS),
    "RabbitMQ's alarms: memory": zero,
    "RabbitMQ's alarms: disk": zero,
    "RabbitMQ's alarms: files": zero,
    "Oldest snapshot": band(0, 60, "nobody keeps a transaction open"),
    "PostgreSQL and nginx: PostgreSQL": lambda facts: Unseen(NO_EXPORTER),
    "PostgreSQL and nginx: nginx": lambda facts: Unseen(NO_EXPORTER),
}

GATEWAY: dict[str, Rule] = {
    "Connections": count(lambda c: c.open.total()),
    "Fullest gateway": count(lambda c: max(c.open.values()) / limit()),
    "Users": count(lambda c: c.users),
    "Channels": channels,
    "Draining": zero,
    "Imbalance": count(lambda c: max(c.open.values()) * len(c.open) / c.open.total()),
    "Connections by gateway": open_by_gateway,
    "Connections by gateway: limit of each": lambda facts: one(limit()),
    "Opened and closed: opened": count(lambda c: c.opened.total()),
    "Opened and closed: closed": count(lambda c: c.closed.total()),
    "Closed by code": counts(lambda c: c.closed_by_code),
    "How long connections lasted: 50 %": lasted,
    "How long connections lasted: 95 %": lasted,
    "Subscriptions": subscriptions,
    "Round trip: 50%": band(0, 8, "a pong that takes longer ends its connection", may_lack=True),
    "Round trip: 99%": band(0, 8, "a pong that takes longer ends its connection", may_lack=True),
    "Handshakes that were refused": counts(lambda c: c.refused),
    **{
        f"Time to the greeting: {share}%": quantile(lambda c: c.handshake_seconds)
        for share in (50, 95, 99)
    },
    "Applications that were cancelled": zero,
    "Messages from clients": counts(lambda c: c.received),
    "Publications to clients": counts(lambda c: {"chat": c.delivered}),
    "Publications that were dropped": zero,
    "Bytes: from clients": received_bytes,
    "Bytes: to clients": sent_bytes,
    "Bytes that wait": each_gateway(0),
    "Stored together: publications": lambda facts: Band(
        (1, facts.counted.committed["gateway"]), "one by one, or some together"
    ),
    **{
        f"Time of commands: {share}%": quantile(lambda c: c.command_seconds)
        for share in (50, 95, 99)
    },
    "Time by command": quantiles(("publish", "history"), lambda c: c.command_seconds),
    "Refused commands": counts(lambda c: c.command_errors),
    "Time to deliver, as it spreads": spread,
    **{
        f"Time to deliver: {share}%": quantile(lambda c: c.latencies, DELIVERY)
        for share in (50, 95, 99)
    },
    "Time to deliver by namespace": lambda facts: Band(
        {"chat": up_to(facts.counted.latencies, DELIVERY)},
        f"the slowest that was seen took {max(facts.counted.latencies):.3f} s",
    ),
    "Clients that came back": counts(lambda c: c.recoveries),
    "Missed by one client: average": count(
        lambda c: c.recovered / (c.recoveries["recovered"] + c.recoveries["empty"])
    ),
    "Missed by one client: 95 %": band(5, 10, "each of most missed seven, between 5 and 10"),
    "Reads of the log": lambda facts: Band(
        {"read": (1, facts.counted.recoveries.total()), "shared": (0, LEAVING)},
        "at most one for each that came back",
    ),
    "Head checks": lambda facts: Band(
        {"current": (1, ANY), "behind": (0, facts.counted.committed.total()), "error": (0, 0)},
        "each channel every four seconds; behind is what a check saw before its bell",
    ),
    "Holes that were filled": lambda facts: Band(
        (0, facts.counted.committed.total()), "bells may overtake each other"
    ),
    "Time to fill a hole: 95%": band(0, 5, "where there was one", may_lack=True),
    "Bells reach it": each_gateway(1),
    "Heard from RabbitMQ": probes,
    "Lost and found again: bells came back": band(0, 4, CHURN),
    "Lost and found again: layer replaced": zero,
    "Event loop, lateness": by_gateway(0, 5, "as busy as this machine is"),
    "CPU": by_gateway(0.001, 1.5, "a gateway works in one thread, and its database's beside"),
    "Memory": by_gateway(*MEMORY, "what the program itself takes"),
    "Memory for each connection": by_gateway(
        MEMORY[0] / 100, MEMORY[1], "of few connections, what the program takes"
    ),
    "Open files": by_gateway(0, 0.5, "few connections"),
    "Quick writes": each_gateway(1),
    "Rollout": lambda facts: Count({OURS: len(facts.gateways)}),
    "Age": by_gateway(1, 86_400, "since the stack was started"),
}

LEAVING = 10

WEB: dict[str, Rule] = {
    "Requests": count(lambda c: c.answers.total()),
    "Failed": refused_share("5"),
    "Refused": refused_share("4"),
    "In progress": zero,
    "Requests by status": counts(lambda c: c.statuses()),
    "Requests by route": by_route,
    "Failures by route": failing_routes,
    **{f"Time to answer: {share}%": quantile(lambda c: c.answer_seconds) for share in (50, 95, 99)},
    "Slowest routes": slow_routes,
    "Busiest routes": busy_routes,
    "Callers that nobody knows": counts(lambda c: c.auth_failures),
    "Too many writes": counts(lambda c: c.limited),
    "Tokens": counts(lambda c: c.tokens),
    "Notifications": zero,
    "Processes": lambda facts: Count({OURS: 1}),
}

WORKERS: dict[str, Rule] = {
    "Recipients to go": zero,
    "Time to go": zero,
    "Jobs that stand still": zero,
    "Standing still the longest": zero,
    "Jobs": jobs,
    "Recipients": counts(lambda c: c.recipients),
    "Time of a chunk: 50%": quantile(lambda c: [c.job_seconds]),
    "Time of a chunk: 95%": quantile(lambda c: [c.job_seconds]),
    "Time of a job: 95%": quantile(lambda c: [c.job_seconds], JOB),
    "Chunks that were given up: parked": zero,
    "Jobs that were handed over again: again": zero,
    "Tasks that failed": zero,
    "Since a worker took a task": lambda facts: Band(
        {"carillon-worker": (0, 60), "carillon-bulk": (0, 60)}, "a probe comes each 30 s"
    ),
    "Tasks that wait": band(0, 1, "workers have nothing else to do"),
    "Dead letters": zero,
    "Finished tasks": tasks,
    "Time of tasks": task_names,
    "Wait in the queue": band(0, 10, "workers have nothing else to do"),
    "Tasks in progress": band(0, 2, "a round of beat's at most"),
    "Notifications": counts(lambda c: c.recipients),
    "Trimmed from the log": band(0, 0, "nothing is as old as that", may_lack=True),
}

EXPECTED: dict[tuple[str, str], Rule] = {
    **{("carillon-overview", name): rule for name, rule in OVERVIEW.items()},
    **{("carillon-gateway", name): rule for name, rule in GATEWAY.items()},
    **{("carillon-web", name): rule for name, rule in WEB.items()},
    **{("carillon-workers", name): rule for name, rule in WORKERS.items()},
    **shared("carillon-gateway", "gateway"),
    **pools("carillon-gateway"),
    **shared("carillon-web", "web"),
    **pools("carillon-web"),
    **shared("carillon-workers", "worker"),
}
