"""People in rooms, each with a client of a published SDK, through nginx."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.client import Session
from tests.integration.audience import sign_in_many
from tests.rollout.absences import Absence, absences_of
from tests.rollout.sizes import Sizes
from tests.sdk.checker import Finding, Record, check, record_of
from tests.sdk.client import SdkClient, websocket_url
from tests.sdk.js_client import JsDriver
from tests.sdk.py_client import PyClient
from tests.sdk.room import Room, message_of
from tests.servers import RunningStack

__all__ = ["Crowd", "Guest", "open_crowd"]

AT_ONCE = 20
# Longer than any SDK waits between two attempts.
RETURN_SECONDS = 60.0


@dataclass(frozen=True)
class Guest:
    """One client, and the room that it is in besides the hall."""

    client: SdkClient
    room: Room

    @property
    def absences(self) -> list[Absence]:
        return absences_of(self.client.events, self.room.channel)


class Crowd:
    """
    Everybody who is there.

    Attributes:
        hall: the room that all are in.
        rooms: the others.
        guests: who is there.
    """

    def __init__(self, hall: Room, rooms: Sequence[Room]) -> None:
        self.hall = hall
        self.rooms = rooms
        self.guests: list[Guest] = []

    @property
    def absences(self) -> list[Absence]:
        return [absence for guest in self.guests for absence in guest.absences]

    @property
    def messages(self) -> int:
        """How many were acknowledged."""
        return sum(len(room.acked) for room in (self.hall, *self.rooms))

    async def check(self) -> list[Finding]:
        """Wait until all heard everything, or clearly will not; return all that is wrong."""
        findings = []
        for room in (self.hall, *self.rooms):
            log = await asyncio.to_thread(room.log)
            members = [g.client for g in self.guests if room in (self.hall, g.room)]
            # Whoever does not get there is a finding.
            await self._until_all(members, lambda client: _position(client, room) >= log.head)
            records = {c.name: _record(c, room) for c in members}
            findings += check(log, room.acked, records)
        return findings

    async def _until_all(
        self, clients: Sequence[SdkClient], condition: Callable[[SdkClient], bool]
    ) -> None:
        deadline = time.monotonic() + RETURN_SECONDS
        while not all(map(condition, clients)) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@asynccontextmanager
async def open_crowd(stack: RunningStack, owner: Session, sizes: Sizes) -> AsyncIterator[Crowd]:
    """Fill rooms with clients of both SDKs; they leave at the end of the block."""
    prefix = f"guest-{time.time_ns()}"
    cookies = await asyncio.to_thread(sign_in_many, stack, prefix, sizes.clients)
    hall = Room(stack, owner)
    crowd = Crowd(hall, [Room(stack, owner) for _ in range(sizes.rooms)])
    url = websocket_url(stack.url)
    slots = asyncio.Semaphore(AT_ONCE)

    async def enter(guest: Guest, cookie: str) -> None:
        async with slots:
            headers = {"Cookie": cookie, "Origin": stack.url}
            await guest.client.create(url, headers=headers)
            await guest.client.connect()
            await guest.client.next_of("connected")
            await guest.client.join(guest.room.channel)
            await guest.client.join(crowd.hall.channel)

    async with AsyncExitStack() as leaving:
        drivers = [await leaving.enter_async_context(JsDriver()) for _ in range(sizes.drivers)]
        for number in range(sizes.clients):
            name = f"guest {number}"
            # The two kinds alternate, so that each room has both.
            is_js = (number + 1) * sizes.js // sizes.clients > number * sizes.js // sizes.clients
            client = drivers[number % sizes.drivers].client(name) if is_js else PyClient(name)
            crowd.guests.append(Guest(client, crowd.rooms[number // 5 % sizes.rooms]))
        async with asyncio.TaskGroup() as group:
            for guest, cookie in zip(crowd.guests, cookies, strict=True):
                group.create_task(enter(guest, cookie))
        try:
            yield crowd
        finally:
            await asyncio.gather(*(guest.client.close() for guest in crowd.guests))


def _record(client: SdkClient, room: Room) -> Record:
    # What a crowd is told about itself is not in the log, and has no offset.
    events = [each for each in client.events if each.get("offset") != 0]
    return record_of(events, room.channel, message_of)


def _position(client: SdkClient, room: Room) -> int:
    for event in reversed(client.events):
        if event["event"] == "publication" and event["channel"] == room.channel and event["offset"]:
            found: int = event["offset"]
            return found
    return 0
