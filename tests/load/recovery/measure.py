"""What is measured: who comes back alone, all who come back at once, who comes to a full room."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.stack import Stack
from shared.accounts.models import User
from shared.chat.actions import do_create_room
from shared.posts.actions import do_create_post
from tests.load.fanout.programs import cores
from tests.load.figures import Figure
from tests.load.live.gateway import NAME, Gateway, pin
from tests.load.recovery.accounts import Account, take
from tests.load.recovery.programs import SOURCE, Answered, Clients, Command, clients
from tests.load.recovery.rooms import Rooms
from tests.load.recovery.sizes import Sizes
from tests.load.recovery.watching import watched

__all__ = ["SOURCE", "Bench", "join_figures", "returning_figures", "storm_figures"]

# Where nobody says otherwise.
DATABASE_THREADS = 4
MAX_P99_MS = 50
MAX_STORM_SECONDS = 60
MAX_JOIN_MS = 1
# The number of the command to subscribe.
SUBSCRIBE = 2
# Rooms of those who come back alone, where they do not share what is read for them.
SPREAD = 50
END_SECONDS = 20.0
ARRIVE_SECONDS = 10.0
# No collection of garbage comes later after the last connection's end.
QUIET_SECONDS, LOOK_SECONDS = 13.0, 0.25
# For presence to be written and counted.
SETTLE_SECONDS = 2.0
REST_SECONDS = 5.0


@dataclass(frozen=True)
class Bench:
    """What takes part in a run, and who hears how it goes."""

    stack: Stack
    program: Path
    cookies: Path
    owner: User
    sizes: Sizes
    say: Callable[[str], None]

    def bound(self, value: float) -> float | None:
        """Return a bound, but none for so few that figures mean nothing."""
        return None if self.sizes.is_smoke else value

    @property
    def pool(self) -> int:
        """How many connections to PostgreSQL the gateway may have."""
        environment = self.stack.role_environment("gateway")
        # One for each thread, and one for that which watches.
        return int(environment.get("CARILLON_GATEWAY_DATABASE_THREADS", DATABASE_THREADS)) + 1

    def gateway(self) -> Gateway:
        """Return the gateway of now, on its core."""
        if (pinned := cores()) is not None:
            pin(self.stack, *pinned)
        return Gateway(self.stack)

    @contextmanager
    def clients(self) -> Iterator[Clients]:
        """Start load clients without connections; end them, and wait until it is calm again."""
        pinned = cores()
        origin = f"http://127.0.0.1:{self.stack.layout.port}"
        port = self.stack.layout.gateway(1)
        with clients(self.program, port, origin, self.cookies, pinned and pinned[1]) as started:
            yield started
        gateway = Gateway(self.stack)
        gateway.wait_until(lambda: gateway.connections() == 0, END_SECONDS)
        if not self.sizes.is_smoke:
            settle(gateway)


def settle(gateway: Gateway) -> None:
    """Wait until what has left before is collected, which stops the event loop for a moment."""
    seen, since = gateway.collections(), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(LOOK_SECONDS)
        if (now := gateway.collections()) != seen:
            seen, since = now, time.monotonic()


def subscribing(index: int, channel: str, **members: object) -> Command:
    return Command(index, SUBSCRIBE, "subscribe", {"channel": channel, **members})


def cpu_seconds(gateway: Gateway) -> float:
    """Return the CPU time that the gateway's process has used."""
    # The clock of another process, as clock_getcpuclockid(3) makes it.
    return time.clock_gettime((~gateway.pid << 3) | 2)


def faulty(accounts: Mapping[int, Account], channel_of: Mapping[int, str], rooms: Rooms) -> int:
    """Return how many were not told exactly what the log has, up to its end."""
    logs = {channel: rooms.log(channel) for channel in rooms.channels}
    return sum(
        bool(accounts[index].faults(logs[channel], max(logs[channel])))
        for index, channel in channel_of.items()
    )


# -- one after the other --


def returning_figures(bench: Bench) -> list[Figure]:
    """Have clients subscribe on a schedule, each with 100 publications to catch up with."""
    figures = []
    for rooms, name in ((1, "one room"), (SPREAD, f"{SPREAD} rooms")):
        spoken = Rooms(bench.owner, [f"back-{rooms}-{n}" for n in range(rooms)])
        answered, cpu, faults = returning(bench, spoken)
        bench.say(f"  {name}: p50 {answered.p50_ms:.1f} ms, p99 {answered.p99_ms:.1f} ms")
        figures += [
            Figure(
                f"{bench.sizes.missed} missed, {bench.sizes.per_second:g}/s, {name}: p50",
                answered.p50_ms,
                "ms",
            ),
            Figure("  p99", answered.p99_ms, "ms", at_most=bench.bound(MAX_P99_MS)),
            Figure("  CPU time of the gateway for each", cpu, "ms"),
            Figure("  not told exactly what they missed", faults, "", at_most=0),
        ]
    return figures


def returning(bench: Bench, rooms: Rooms) -> tuple[Answered, float, int]:
    """Return how long it took, its CPU milliseconds, and how many were not told what is so."""
    sizes, channels = bench.sizes, rooms.channels
    rooms.say(1)
    # Where they all were before.
    places = {channel: rooms.head(channel) for channel in channels}
    rooms.say(sizes.missed)
    with bench.clients() as load:
        load.connect(sizes.returning)
        channel_of = {index: channels[index % len(channels)] for index in range(sizes.returning)}
        commands = [
            subscribing(
                index,
                channel,
                recover=True,
                epoch=places[channel].epoch,
                offset=places[channel].offset,
            )
            for index, channel in channel_of.items()
        ]
        # Once without being measured: with connections and caches as they are in use.
        warm, rest = commands[: len(commands) // 10], commands[len(commands) // 10 :]
        load.send(warm, sizes.per_second)
        gateway = bench.gateway()
        cpu = cpu_seconds(gateway)
        answered = load.send(rest, sizes.per_second)
        cpu = (cpu_seconds(gateway) - cpu) / len(rest) * 1e3
        accounts = {
            index: Account(places[channel].epoch, places[channel].offset)
            for index, channel in channel_of.items()
        }
        take(accounts, load.messages())
    return answered, cpu, faulty(accounts, channel_of, rooms)


# -- all at once --


def storm_figures(bench: Bench) -> list[Figure]:
    """Kill the gateway under everybody, go on talking, and have all come back at once."""
    sizes = bench.sizes
    rooms = Rooms(bench.owner, [f"storm-{number}" for number in range(sizes.storm_rooms)])
    channels = rooms.channels
    channel_of = {index: channels[index % len(channels)] for index in range(sizes.storm)}
    rooms.say(1)
    with bench.clients() as load:
        load.connect(sizes.storm)
        with rooms.filled(sizes.storm_per_second):
            load.send([subscribing(index, channel) for index, channel in channel_of.items()])
            bench.stack.kill(NAME)
        load.wait_until_dead(END_SECONDS)
        accounts = {index: Account() for index in channel_of}
        take(accounts, load.messages())
        rooms.say(sizes.missed)
        bench.stack.start(NAME)
        gateway = bench.gateway()
        commands = [
            subscribing(
                index,
                channel,
                recover=True,
                epoch=accounts[index].epoch,
                offset=accounts[index].offset,
            )
            for index, channel in channel_of.items()
        ]
        cpu = cpu_seconds(gateway)
        with watched(bench.stack) as asked, rooms.filled(sizes.storm_per_second):
            come = load.storm(commands, MAX_STORM_SECONDS)
        cpu = cpu_seconds(gateway) - cpu
        bench.say(f"  {come.answered:,} are back after {come.seconds:.1f} s; {come}")
        deadline = time.monotonic() + ARRIVE_SECONDS
        while True:
            take(accounts, load.messages())
            if not (wrong := faulty(accounts, channel_of, rooms)) or time.monotonic() > deadline:
                break
            time.sleep(ARRIVE_SECONDS / 20)
    caught_up = sum(len(account.told) for account in accounts.values())
    return [
        Figure(
            f"{sizes.storm:,} come back at once to {sizes.storm_rooms} rooms, after",
            come.seconds if come.answered == sizes.storm else float("inf"),
            "s",
            at_most=bench.bound(MAX_STORM_SECONDS),
        ),
        Figure("  half of them after", come.p50_ms / 1e3, "s"),
        Figure("  not told exactly what is in the log", wrong, "", at_most=0),
        Figure("  cut again", come.cut_again, "", at_most=0),
        Figure("  publications that they were told", caught_up, ""),
        Figure("  connections that they tried in vain", come.refusals + come.cuts, ""),
        Figure("  gave up an attempt after 5 s", come.timeouts, ""),
        Figure("  PostgreSQL connections, at most", asked.connections, "", at_most=bench.pool),
        Figure("  SQL statements for each", asked.statements / sizes.storm, ""),
        Figure("  CPU time of the gateway for each", cpu / sizes.storm * 1e3, "ms"),
    ]


# -- a full room --


def join_figures(bench: Bench) -> list[Figure]:
    """
    Compare what a subscription costs in a full room with what it costs where nobody is shown.

    The difference is what it costs to be shown there, and to have it told.
    """
    sizes = bench.sizes
    room, post = "chat:full", f"post:{do_create_post(bench.owner, 'Nobody is shown here').pk}"
    do_create_room(bench.owner, "full")
    with bench.clients() as load:
        load.connect(sizes.members + sizes.joiners)
        load.send([subscribing(n, room, join_leave=True) for n in range(sizes.members)])
        time.sleep(SETTLE_SECONDS)
        gateway = bench.gateway()
        idle = spent(gateway, lambda: time.sleep(REST_SECONDS)) / (REST_SECONDS + SETTLE_SECONDS)
        joiners = range(sizes.members, sizes.members + sizes.joiners)
        unseen, seen = (
            joining(load, gateway, joiners, channel, sizes.per_second, idle)
            for channel in (post, room)
        )
        told = sum("num_clients" in str(message) for _, message in load.messages())
    bench.say(f"  {unseen:.2f} ms of CPU time where nobody is shown, {seen:.2f} ms in the room")
    return [
        Figure(
            f"a join where {sizes.members:,} are",
            seen - unseen,
            "ms",
            at_most=bench.bound(MAX_JOIN_MS),
        ),
        Figure("  with the subscription", seen, "ms"),
        Figure("  a subscription where nobody is shown", unseen, "ms"),
        Figure("  how many are there, told so often", told, "", at_least=bench.bound(1)),
        Figure("  an idle gateway, which counts in neither", idle * 1e3, "ms/s"),
    ]


def joining(
    load: Clients,
    gateway: Gateway,
    joiners: Sequence[int],
    channel: str,
    per_second: float,
    idle: float,
) -> float:
    """Return the milliseconds of CPU time that a subscription costs."""
    began = time.monotonic()
    commands = [subscribing(index, channel, join_leave=True) for index in joiners]
    cpu = spent(gateway, lambda: load.send(commands, per_second))
    return (cpu - idle * (time.monotonic() - began)) / len(joiners) * 1e3


def spent(gateway: Gateway, act: Callable[[], object]) -> float:
    """Return the seconds of CPU time that the gateway uses during an act, and for what follows."""
    before = cpu_seconds(gateway)
    act()
    time.sleep(SETTLE_SECONDS)
    return cpu_seconds(gateway) - before
