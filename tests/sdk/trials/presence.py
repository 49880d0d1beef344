"""Presence when a gateway dies, and when pages are loaded again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.client import Session
from tests.sdk.client import Event, SdkClient, websocket_url
from tests.sdk.js_client import JsDriver
from tests.sdk.py_client import PyClient
from tests.sdk.room import Room
from tests.sdk.trials.people import Person, make_people
from tests.servers import RunningStack

__all__ = ["Gone", "Reloaded", "kill_one_gateway", "load_again"]

POLL_SECONDS = 0.2
# A lease is dead after thirty seconds; then there is time to come back elsewhere.
PATIENCE_SECONDS = 70.0
# Somebody who is back within this has not left.
RELOAD_SECONDS = 9.0
# Of which this is for the way.
CONNECT_SECONDS = 1.0


@dataclass
class Gone:
    """
    What became of those whose gateway was killed.

    Attributes:
        seconds: until nobody who asks for presence is told of any of them.
        leaves_seconds: until the last of their leaves was told; None where that was not awaited.
        missed: the answers in which somebody was missing who had not gone.
        wrong: leaves of others, and leaves that came twice or never.
    """

    seconds: float
    leaves_seconds: float | None = None
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Reloaded:
    """
    What others were told of people who loaded their pages again.

    Attributes:
        reloads: how many there were, through the same gateway and through the other one.
        leaves, joins: what was told of those who came back: of their going, and of their coming
            to the gateway where they had been.
        elsewhere: joins of who came back through the other gateway, which are told.
        missed: the answers in which somebody was missing.
    """

    reloads: int
    leaves: int = 0
    joins: int = 0
    elsewhere: int = 0
    missed: list[str] = field(default_factory=list)


async def kill_one_gateway(
    stack: RunningStack, driver: JsDriver, each: int, *, await_leaves: bool
) -> Gone:
    """
    Kill the first of two gateways, with as many people at each, and see who goes from presence.

    The last of those at the first gateway has another tab at the second one, and stays.
    """
    people = await asyncio.to_thread(make_people, stack, 2 * each)
    dying, staying = people[:each], people[each:]
    room = Room(stack, Session(stack.url, "alice"))
    async with _crowd(stack, driver) as crowd:
        lost = [await crowd.enter(person, 1, room.channel) for person in dying]
        kept = [await crowd.enter(person, 2, room.channel) for person in [*staying, dying[-1]]]
        watchers = kept[:2]
        names, stayers = _names(lost), _names(kept)
        await _until_seen(watchers, room.channel, names | stayers)
        async with _polled(watchers, room.channel) as answers:
            await asyncio.to_thread(stack.kill_gateway, 1)
            began = time.time()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    # Both are told the same, if not at the same moment.
                    while not _are_gone(answers, names, len(watchers)):  # noqa: ASYNC110
                        await asyncio.sleep(POLL_SECONDS)
                    seconds = max(at for at, _, told in answers if told & names) - began
            except TimeoutError:
                seconds = PATIENCE_SECONDS
        gone = Gone(seconds, missed=_missing(answers, stayers))
        if await_leaves:
            expected = {client.client_id for client in lost[:-1]}
            await _note_leaves(gone, watchers, room.channel, expected, began)
        for client in lost:
            # Before their gateway is there again: they would come back.
            await client.close()
    return gone


async def load_again(
    stack: RunningStack, driver: JsDriver, reloads: int, away_seconds: float = RELOAD_SECONDS
) -> Reloaded:
    """
    Have people leave and come back within some seconds, as a page does that is loaded again.

    Half of them come back through the other gateway. Those who watch hear of who comes and goes.
    """
    people = await asyncio.to_thread(make_people, stack, reloads + 3)
    *going, marker, first, second = people
    room = Room(stack, Session(stack.url, "alice"))
    async with _crowd(stack, driver) as crowd:
        watchers = [
            await crowd.enter(person, gateway, room.channel, join_leave=True)
            for gateway, person in ((1, first), (2, second))
        ]
        last = await crowd.enter(marker, 2, room.channel)
        pages = [await crowd.enter(one, 1 + n % 2, room.channel) for n, one in enumerate(going)]
        comers = {str(person.id) for person in going}
        for watcher in watchers:
            await watcher.wait_for(
                lambda c: comers <= set(map(_user, c.of("join", room.channel))),
                what="everybody's join",
            )
        before = [len(watcher.of("join", room.channel)) for watcher in watchers]
        everybody = {str(person.id) for person in people}
        await _until_seen(watchers, room.channel, _names([*watchers, last, *pages]))
        async with _polled(watchers, room.channel, by="user") as answers:
            async with asyncio.TaskGroup() as group:
                for n, (person, page) in enumerate(zip(going, pages, strict=True)):
                    gateway = 1 + (n + n // 2) % 2
                    group.create_task(
                        _load_again(crowd, page, person, gateway, room.channel, away_seconds)
                    )
            count = len(answers)
            # Whatever is told of them is told before the leave of who goes now.
            await last.disconnect()
            for watcher in watchers:
                await watcher.wait_for(
                    lambda c: str(marker.id) in map(_user, c.of("leave", room.channel)),
                    within=60,
                    what="the last one's leave",
                )
        found = Reloaded(reloads, missed=_missing(answers[:count], everybody))
        moved = {str(person.id) for n, person in enumerate(going) if n // 2 % 2}
        stayed = comers - moved
        for watcher, known in zip(watchers, before, strict=True):
            leaves = [_user(event) for event in watcher.of("leave", room.channel)]
            joins = [_user(event) for event in watcher.of("join", room.channel)[known:]]
            found.leaves += sum(user in moved | stayed for user in leaves)
            found.joins += sum(user in stayed for user in joins)
            found.elsewhere += sum(user in moved for user in joins)
    return found


class _Crowd:
    """Clients of both SDKs by turns, which are closed in the end."""

    def __init__(self, stack: RunningStack, driver: JsDriver, exits: AsyncExitStack) -> None:
        self._stack, self._driver, self._exits = stack, driver, exits
        self._count = 0

    async def enter(
        self, person: Person, gateway: int, channel: str, *, join_leave: bool = True
    ) -> SdkClient:
        """Have somebody come to a channel through one gateway."""
        self._count += 1
        name = f"{person.username} {self._count}"
        client = self._driver.client(name) if self._count % 2 else PyClient(name)
        self._exits.push_async_callback(client.close)
        await client.enter(websocket_url(self._stack.gateway_url(gateway)), person)
        await client.join(channel, join_leave=join_leave)
        return client


@asynccontextmanager
async def _crowd(stack: RunningStack, driver: JsDriver) -> AsyncIterator[_Crowd]:
    async with AsyncExitStack() as exits:
        yield _Crowd(stack, driver, exits)


type _Answers = list[tuple[float, str, set[str]]]


@asynccontextmanager
async def _polled(
    watchers: Sequence[SdkClient], channel: str, by: str = "client"
) -> AsyncIterator[_Answers]:
    """Ask for presence again and again; yield when it was asked, by whom, and who was there."""
    answers: _Answers = []
    is_over = asyncio.Event()

    async def ask(watcher: SdkClient) -> None:
        while not is_over.is_set():
            asked = time.time()
            present = await watcher.presence(channel)
            answers.append((asked, watcher.name, {info[by] for info in present.values()}))
            await asyncio.sleep(POLL_SECONDS)

    asking = [asyncio.create_task(ask(watcher)) for watcher in watchers]
    try:
        yield answers
    finally:
        is_over.set()
        await asyncio.gather(*asking)


async def _until_seen(watchers: Sequence[SdkClient], channel: str, names: set[str]) -> None:
    async with asyncio.timeout(15):
        for watcher in watchers:
            while not set(await watcher.presence(channel)) >= names:  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)


async def _load_again(
    crowd: _Crowd, page: SdkClient, person: Person, gateway: int, channel: str, within: float
) -> None:
    await asyncio.sleep(random.uniform(0, 1))
    await page.disconnect()
    await asyncio.sleep(random.uniform(0, within - CONNECT_SECONDS))
    await crowd.enter(person, gateway, channel, join_leave=False)


async def _note_leaves(
    gone: Gone, watchers: Sequence[SdkClient], channel: str, expected: set[str], began: float
) -> None:
    moments = []
    for watcher in watchers:
        try:
            await watcher.wait_for(
                lambda c: {_client(e) for e in c.of("leave", channel)} >= expected,
                within=PATIENCE_SECONDS,
                what="the leaves of who was at the gateway that died",
            )
        except AssertionError as error:
            gone.wrong.append(str(error).splitlines()[0])
        leaves = watcher.of("leave", channel)
        told = [_client(event) for event in leaves]
        gone.wrong += [f"{watcher.name} heard a leave of {name}" for name in set(told) - expected]
        if len(told) > len(set(told)):
            gone.wrong.append(f"{watcher.name} heard leaves twice")
        moments += [event["at"] - began for event in leaves]
    gone.leaves_seconds = max(moments, default=PATIENCE_SECONDS)


def _are_gone(answers: _Answers, names: set[str], watchers: int) -> bool:
    newest = {who: told for _, who, told in answers}
    return len(newest) == watchers and not any(told & names for told in newest.values())


def _missing(answers: _Answers, expected: set[str]) -> list[str]:
    return [f"{who} missed {expected - told}" for _, who, told in answers if expected - told]


def _names(clients: Sequence[SdkClient]) -> set[str]:
    return {client.client_id for client in clients}


def _user(event: Event) -> str:
    user: str = event["info"]["user"]
    return user


def _client(event: Event) -> str:
    client: str = event["info"]["client"]
    return client
