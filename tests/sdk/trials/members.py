"""What it costs that thousands are in one channel: rows, writes, memory, calls, messages."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg
from websockets.asyncio.client import connect

from tests.client import Session
from tests.sdk.client import CommandFailed, SdkClient, websocket_url
from tests.sdk.room import Room
from tests.sdk.trials.people import Person, make_people, manage
from tests.sdk.trials.sockets import Sockets
from tests.servers import RunningStack

__all__ = ["Cost", "crowd_cost"]

CALLS = 10
# Who comes and goes in a crowd, one after the other.
COMERS = 10
QUIET_SECONDS = 20.0
# As late as PostgreSQL's own counts may be: a session that does nothing tells them after ten.
COUNTED_SECONDS = 12.0

WRITES = """
    SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables
    WHERE relname IN ('presence_presentclient', 'presence_lease')
"""
ROWS = "SELECT count(*) FROM presence_presentclient WHERE channel = %s AND left_at IS NULL"
SIZE = "SELECT pg_total_relation_size('presence_presentclient')"
# What gateways ask of the database for a crowd, and for all channels.
QUESTIONS = """
import json, time
from shared.presence import queries
def timed(ask):
    took = []
    for _ in range(5):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    return sorted(took)[2]
print(json.dumps([
    timed(lambda: queries.stats_of(["{channel}"])),
    timed(lambda: queries.crowded_channels(200)),
]))
"""


@dataclass
class Cost:
    """
    What a crowd costs.

    Attributes:
        members: how many there are.
        join_seconds: from the first subscribe command to the last reply.
        rows, table_bytes: in the table of presence, indexes included.
        joining_writes: rows that were inserted, changed or deleted while they came.
        quiet_writes: the same each second when nobody comes or goes.
        connected_bytes, member_bytes: a gateway's resident memory for each connection, and what
            each subscription with presence adds.
        call_seconds, call_bytes: of `presence`.
        stats_seconds: of `presence_stats`.
        told: how many members `presence` lists for a published SDK, or, where they are too many for
            that, `presence_stats` counts.
        changes: messages that told who came or went, which there should be none of.
        counts: messages that each member got for each second in which somebody came or went.
        count_bytes: of one of those.
        count_seconds, survey_seconds: the database's time to count a crowd, and to find crowds.
        quiet_cpu: share of a core that both gateways use when nobody comes or goes.
        lost: members who were not connected in the end.
    """

    members: int
    join_seconds: float = 0.0
    rows: int = 0
    table_bytes: int = 0
    joining_writes: int = 0
    quiet_writes: float = 0.0
    connected_bytes: float = 0.0
    member_bytes: float = 0.0
    call_seconds: float = 0.0
    call_bytes: int = 0
    stats_seconds: float = 0.0
    told: int = 0
    changes: int = 0
    counts: float = 0.0
    count_bytes: float = 0.0
    count_seconds: float = 0.0
    survey_seconds: float = 0.0
    quiet_cpu: float = 0.0
    lost: int = 0


async def crowd_cost(
    stack: RunningStack,
    members: int,
    make: Callable[[str], SdkClient],
    *,
    quiet_seconds: float = QUIET_SECONDS,
    progress: Callable[[str], None] = print,
) -> Cost:
    """Fill a room, then measure; `make` makes a client of a published SDK, which asks as well."""
    cost = Cost(members)
    people = await asyncio.to_thread(make_people, stack, members + COMERS)
    comers, crowd = people[:COMERS], people[COMERS:]
    room = Room(stack, Session(stack.url, "alice"))
    urls = [stack.gateway_url(1), stack.gateway_url(2)]
    bare = _memory(stack)
    sockets = Sockets(urls, stack.url, [person.cookie for person in crowd], room.channel)
    try:
        await asyncio.to_thread(sockets.wait_until_connected, progress)
        if quiet_seconds:
            await asyncio.sleep(COUNTED_SECONDS)
        connected, writes = _memory(stack), _one(stack, WRITES)
        began = time.monotonic()
        await asyncio.to_thread(sockets.subscribe, progress)
        cost.join_seconds = time.monotonic() - began
        await _until_rows(stack, room.channel, members)
        cost.rows = members
        cost.table_bytes = _one(stack, SIZE)
        cost.connected_bytes = (connected - bare) / members
        cost.member_bytes = (_memory(stack) - connected) / members
        await _quiet(stack, cost, quiet_seconds, writes)
        await _ask(stack, cost, room, comers[0])
        client = make("asks")
        await client.enter(websocket_url(urls[1]), comers[0])
        cost.told = await _told(client, room.channel)
        await client.disconnect()
        await _come_and_go(cost, sockets, room, comers, urls, make)
        found = await asyncio.to_thread(manage, stack, QUESTIONS.format(channel=room.channel))
        cost.count_seconds, cost.survey_seconds = json.loads(found)
        cost.lost = members - (await asyncio.to_thread(sockets.heard)).open
    finally:
        await asyncio.to_thread(sockets.end)
    return cost


async def _quiet(stack: RunningStack, cost: Cost, seconds: float, writes: int) -> None:
    """Let nobody come or go for a while."""
    if not seconds:
        return
    await asyncio.sleep(COUNTED_SECONDS)
    before, cpu, began = _one(stack, WRITES), _cpu(stack), time.monotonic()
    cost.joining_writes = before - writes
    await asyncio.sleep(seconds)
    lasted = time.monotonic() - began
    cost.quiet_writes = (_one(stack, WRITES) - before) / lasted
    cost.quiet_cpu = (_cpu(stack) - cpu) / lasted


async def _ask(stack: RunningStack, cost: Cost, room: Room, person: Person) -> None:
    """Ask for presence, on a socket that shows what comes as it is."""
    headers = {"Cookie": person.cookie}
    times: dict[str, list[float]] = {"presence": [], "presence_stats": []}
    async with connect(
        websocket_url(stack.gateway_url(1)),
        additional_headers=headers,
        origin=stack.url,
        max_size=None,
        proxy=None,
    ) as socket:
        await socket.send('{"id":1,"connect":{}}')
        await socket.recv()
        for number in range(2, 2 * CALLS + 2):
            method = "presence" if number % 2 else "presence_stats"
            began = time.monotonic()
            await socket.send(json.dumps({"id": number, method: {"channel": room.channel}}))
            answer = ""
            while f'"id":{number},' not in answer:
                answer = str(await socket.recv())
            times[method].append(time.monotonic() - began)
            if method == "presence":
                cost.call_bytes = len(answer)
    cost.call_seconds = median(times["presence"])
    cost.stats_seconds = median(times["presence_stats"])


async def _told(client: SdkClient, channel: str) -> int:
    try:
        return len(await client.presence(channel))
    except CommandFailed as failed:
        # Too many to list; then they are counted.
        if failed.code != 106:
            raise
    return (await client.presence_stats(channel))[0]


async def _come_and_go(
    cost: Cost,
    sockets: Sockets,
    room: Room,
    comers: list[Person],
    urls: list[str],
    make: Callable[[str], SdkClient],
) -> None:
    """Have some people come and go, and see what all others are told of it."""
    await asyncio.to_thread(sockets.forget)
    began = time.monotonic()
    for number, person in enumerate(comers):
        client = make(f"comer {number}")
        await client.enter(websocket_url(urls[number % 2]), person)
        await client.join(room.channel, join_leave=True)
        if number == 0:
            # A crowd is counted for those who are in it, once a second.
            await client.next_of("publication", room.channel)
        await asyncio.sleep(0.5)
        await client.disconnect()
    await asyncio.sleep(1.5)
    heard = await asyncio.to_thread(sockets.heard)
    cost.changes = heard.changes
    cost.counts = heard.counts / cost.members / (time.monotonic() - began)
    cost.count_bytes = heard.count_bytes / max(1, heard.counts)


async def _until_rows(stack: RunningStack, channel: str, members: int) -> None:
    async with asyncio.timeout(30):
        while _one(stack, ROWS, channel) != members:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.2)


def _one(stack: RunningStack, statement: str, *values: str) -> int:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        row = connection.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])


def _pids(stack: RunningStack) -> list[int]:
    return [pid for pid in stack.gateways.values() if pid is not None]


def _memory(stack: RunningStack) -> int:
    """Return the resident bytes of all gateways together."""
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in _pids(stack)]
    lines = [line for text in statuses for line in text.splitlines() if line.startswith("VmRSS")]
    return sum(int(line.split()[1]) * 1024 for line in lines)


def _cpu(stack: RunningStack) -> float:
    """Return the seconds of CPU that all gateways have used."""
    stats = [Path(f"/proc/{pid}/stat").read_text() for pid in _pids(stack)]
    ticks = [text.rpartition(")")[2].split()[11:13] for text in stats]
    return sum(int(user) + int(kernel) for user, kernel in ticks) / 100
