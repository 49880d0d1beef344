"""
`python -m tests.sdk.trials`, behind `make trials`: the trials in full, on a stack of their own.

It prints what it does, then a table, and ends with 1 where anything in it is out of bounds.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.load.command import allow_files, said, say, status
from tests.load.figures import Figure, table
from tests.sdk.client import SdkClient
from tests.sdk.js_client import JsDriver
from tests.sdk.kills import kill_gateways
from tests.sdk.py_client import PyClient
from tests.sdk.seeded import undetected
from tests.sdk.trials.endings import Ended, end_access
from tests.sdk.trials.members import Cost, crowd_cost
from tests.sdk.trials.presence import kill_one_gateway, load_again
from tests.sdk.trials.restore import restore_old_dump
from tests.servers import SETTINGS, RunningStack, temporary_stack

SHOWS = ("kills", "endings", "restore", "presence", "members")


@dataclass(frozen=True)
class Sizes:
    """
    Attributes:
        kills: of gateways, under traffic.
        trials: of each way to lose a subscription or a connection, with RabbitMQ and without.
        deaths: of gateways whose users' presence is watched; so many users at each of two.
        reloads: of pages.
        members: of one channel.
        restores: of an old dump.
    """

    kills: int
    trials: int
    deaths: int
    users: int
    reloads: int
    members: int
    restores: int
    quiet_seconds: float


FULL = Sizes(30, 20, deaths=3, users=10, reloads=20, members=5_000, restores=3, quiet_seconds=20)
QUICK = Sizes(2, 2, deaths=1, users=4, reloads=4, members=500, restores=1, quiet_seconds=3)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sdk.trials", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few trials of each, in 3 minutes")
    parser.add_argument("show", nargs="*", help=f"of {', '.join(SHOWS)}; all without any")
    options = parser.parse_args(arguments)
    if unknown := set(options.show) - set(SHOWS):
        parser.error(f"there is no {min(unknown)!r}: choose from {', '.join(SHOWS)}")
    sizes = QUICK if options.quick else FULL
    return said(lambda: run(options.show or SHOWS, sizes))


def run(shows: Sequence[str], sizes: Sizes) -> int:
    """Try everything, print the figures; return the exit status."""
    began = time.monotonic()
    if "members" in shows:
        # Before the gateways start, which take the limit over.
        allow_files(sizes.members)
    figures: list[Figure] = []
    with temporary_stack(SETTINGS) as stack:
        stack.up(2)
        running = RunningStack(stack)
        for show in shows:
            figures += asyncio.run(TRIALS[show](running, sizes))
    say(f"\n{table(figures)}\n\n{(time.monotonic() - began) / 60:.0f} minutes in all.")
    return status(figures)


async def try_kills(stack: RunningStack, sizes: Sizes) -> list[Figure]:
    say(f"{sizes.kills} gateways are killed while 20 clients say 50 messages a second.")
    outcome = await kill_gateways(stack, sizes.kills, progress=say)
    _complain(outcome.findings)
    missed = undetected(outcome.log, outcome.records)
    _complain(missed)
    return [
        Figure("kills: gateways killed under 50 messages/s", len(outcome.returned), ""),
        Figure("messages in the log", len(outcome.log.messages), ""),
        Figure("of those, sent again by their senders", outcome.resent, ""),
        Figure("recoveries of clients", outcome.recoveries, "", at_least=1),
        Figure("slowest return of all 20 clients", max(outcome.returned), "s"),
        Figure("differences between a client and the log", len(outcome.findings), "", 0, 0),
        Figure("seeded defects that the checker missed", len(missed), "", 0, 0),
    ]


async def try_endings(stack: RunningStack, sizes: Sizes) -> list[Figure]:
    figures = []
    async with JsDriver() as driver:
        say(f"{sizes.trials} people lose what they hear in each of five ways.")
        figures += endings_figures(await end_access(stack, driver, sizes.trials), "", at_most=1)

        async def without_rabbitmq(act: Callable[[], Awaitable[None]]) -> None:
            await asyncio.to_thread(stack.stop_rabbitmq)
            try:
                await act()
            finally:
                await asyncio.to_thread(stack.start_rabbitmq)

    async with JsDriver() as driver:
        say("The same with RabbitMQ stopped.")
        found = await end_access(stack, driver, sizes.trials, meanwhile=without_rabbitmq)
        figures += endings_figures(found, ", RabbitMQ stopped", at_most=10)
    return figures


def endings_figures(found: dict[str, Ended], where: str, at_most: float) -> list[Figure]:
    figures = []
    for way, ended in found.items():
        _complain(ended.wrong)
        count = len(ended.seconds)
        figures += [
            Figure(f"{way}{where}: median of {count}", median(ended.seconds), "s"),
            Figure(f"{way}{where}: slowest", max(ended.seconds), "s", at_most=at_most),
            Figure(f"{way}{where}: otherwise than it should", len(ended.wrong), "", 0, 0),
        ]
    return figures


async def try_presence(stack: RunningStack, sizes: Sizes) -> list[Figure]:
    gone = []
    for _ in range(sizes.deaths):
        say(f"A gateway is killed, with {sizes.users} people there and {sizes.users} elsewhere.")
        async with JsDriver() as driver:
            gone.append(await kill_one_gateway(stack, driver, sizes.users, await_leaves=True))
        await asyncio.to_thread(stack.start_gateway, 1)
        _complain([*gone[-1].missed, *gone[-1].wrong])
    say(f"{sizes.reloads} people load their pages again.")
    async with JsDriver() as driver:
        loaded = await load_again(stack, driver, sizes.reloads)
    _complain(loaded.missed)
    seconds = max(each.seconds for each in gone)
    leaves = max(each.leaves_seconds or 0 for each in gone)
    missed = sum(len(each.missed) for each in gone)
    wrong = sum(len(each.wrong) for each in gone)
    return [
        Figure(
            "killed: its users are gone from presence",
            seconds,
            "s",
            at_most=30,
        ),
        Figure("killed: others missing from an answer", missed, "", 0, 0),
        Figure("killed: all leaves are told", leaves, "s"),
        Figure("killed: leaves of others, or twice", wrong, "", 0, 0),
        Figure("pages loaded again within 9 s", loaded.reloads, ""),
        Figure("loaded again: leaves told", loaded.leaves, "", 0, 0),
        Figure("loaded again at the same gateway: joins told", loaded.joins, "", 0, 0),
        Figure("loaded again: missing from an answer", len(loaded.missed), "", 0, 0),
    ]


async def try_members(stack: RunningStack, sizes: Sizes) -> list[Figure]:
    say(f"{sizes.members:,} come to one room.")
    async with AsyncExitStack() as leaving:

        def make(name: str) -> SdkClient:
            client = PyClient(name)
            leaving.push_async_callback(client.close)
            return client

        cost = await crowd_cost(
            stack, sizes.members, make, quiet_seconds=sizes.quiet_seconds, progress=say
        )
    return cost_figures(cost)


def cost_figures(cost: Cost) -> list[Figure]:
    many = f"{cost.members:,} members"
    return [
        Figure(f"{many}: joins each second", cost.members / cost.join_seconds, ""),
        Figure(f"{many}: connections lost", cost.lost, "", 0, 0),
        Figure(f"{many}: rows", cost.rows, "", cost.members, cost.members),
        Figure(f"{many}: table with indexes, for each", cost.table_bytes / cost.members, "B"),
        Figure(f"{many}: rows written for each", cost.joining_writes / cost.members, ""),
        Figure(f"{many}: rows written each second after that", cost.quiet_writes, "", at_most=1),
        Figure(f"{many}: gateways' CPU after that", 100 * cost.quiet_cpu, "% of a core"),
        Figure(f"{many}: gateway's memory, a connection", cost.connected_bytes / 1_000, "KB"),
        Figure(f"{many}: and its subscription", cost.member_bytes / 1_000, "KB"),
        Figure(f"{many}: presence", 1_000 * cost.call_seconds, "ms", at_most=1_000),
        Figure(f"{many}: presence", cost.call_bytes / 1_000, "KB"),
        Figure(
            f"{many}: listed or counted for an SDK", cost.told, "", cost.members, cost.members + 1
        ),
        Figure(f"{many}: presence_stats", 1_000 * cost.stats_seconds, "ms"),
        Figure(f"{many}: the database counts them", 1_000 * cost.count_seconds, "ms"),
        Figure(f"{many}: the database looks for crowds", 1_000 * cost.survey_seconds, "ms"),
        Figure(f"{many}: joins and leaves told one by one", cost.changes, "", 0, 0),
        Figure(f"{many}: counts told to each, a second", cost.counts, "", 0.01, 1.1),
        Figure(f"{many}: such a count", cost.count_bytes, "B"),
    ]


async def try_restore(stack: RunningStack, sizes: Sizes) -> list[Figure]:
    told = 0
    wrong: list[str] = []
    for number in range(sizes.restores):
        say(f"An old dump is restored under 6 clients, the {number + 1}. time.")
        async with JsDriver() as driver:
            dump = Path(stack.state) / f"old-{number}.dump"
            found = await restore_old_dump(stack, driver, dump)
        told += found.told
        wrong += [*found.silent, *found.wrong]
    _complain(wrong)
    return [
        Figure("restored: subscriptions told `recovered: false`", told, "", at_least=1),
        Figure("restored: told otherwise, or wrong", len(wrong), "", 0, 0),
    ]


TRIALS = {
    "kills": try_kills,
    "endings": try_endings,
    "presence": try_presence,
    "members": try_members,
    "restore": try_restore,
}


def _complain(words: Sequence[object]) -> None:
    for each in words[:20]:
        say(f"  {each}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
