"""People who talk while gateways come and go, and what must be true of what they heard."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.client import Session
from tests.compose.site import Site
from tests.integration.traffic import fresh_room
from tests.sdk.checker import Finding, Log, check, record_of
from tests.sdk.client import SdkClient, has_published, websocket_url
from tests.sdk.py_client import PyClient
from tests.sdk.room import message_of

__all__ = ["Talk", "enter", "make_people"]

# Longer than an SDK waits between two attempts.
RETURN_SECONDS = 60.0

MAKE_PEOPLE = """
from django.contrib.auth import get_user_model
for name in {names!r}:
    get_user_model().objects.create_user(name, password={password!r})
"""
POSITION = """
    SELECT s.epoch || '-' || d.incarnation FROM realtime_stream s, realtime_deployment d
    WHERE s.channel = '{channel}'
"""
PUBLICATIONS = """
    SELECT json_build_array(p."offset", p.data) FROM realtime_publication p
    JOIN realtime_stream s ON s.id = p.stream_id WHERE s.channel = '{channel}' ORDER BY p."offset"
"""


def make_people(site: Site, names: Sequence[str]) -> list[Session]:
    """Make users, as an operator would, and sign them in."""
    password = secrets.token_hex(12)
    site.manage(MAKE_PEOPLE.format(names=list(names), password=password))
    return [Session(site.url, name, password) for name in names]


async def enter(site: Site, person: Session, name: str) -> SdkClient:
    """Connect somebody through nginx."""
    client = PyClient(name)
    await client.enter(websocket_url(site.url), person)
    return client


@dataclass
class Talk:
    """
    A room in which everybody speaks, each at the same steady rate.

    Attributes:
        acked: the messages whose senders were told that they are stored.
        resent: how many needed more than one attempt.
    """

    site: Site
    channel: str
    crowd: list[SdkClient]
    pause: float
    acked: list[str] = field(default_factory=list)
    resent: int = 0
    _is_over: bool = False
    _number: int = 0

    @classmethod
    @asynccontextmanager
    async def among(
        cls, site: Site, people: Sequence[Session], clients: int, per_second: float
    ) -> AsyncIterator[Talk]:
        """Open a room, let clients in through nginx, and have them speak until the block ends."""
        room = await asyncio.to_thread(fresh_room, people[0])
        talk = cls(site, f"chat:{room}", [], clients / per_second)
        async with AsyncExitStack() as leaving:
            speaking: list[asyncio.Task[None]] = []
            for number in range(clients):
                client = await enter(site, people[number % len(people)], f"client {number}")
                leaving.push_async_callback(client.close)
                await client.join(talk.channel)
                talk.crowd.append(client)
            speaking = [asyncio.create_task(talk._speak(client)) for client in talk.crowd]
            try:
                yield talk
            finally:
                talk._is_over = True
                await asyncio.gather(*speaking)

    async def _speak(self, client: SdkClient) -> None:
        await asyncio.sleep(random.uniform(0, self.pause))
        while not self._is_over:
            self._number += 1
            words = {
                "message": f"message {self._number}",
                "client_id": f"{self.channel.partition(':')[2]}-{self._number}",
            }
            attempts = 1
            while not await has_published(client, self.channel, words):
                if self._is_over:
                    # Where no gateway comes back this would go on for ever.
                    return
                attempts += 1
            self.resent += attempts > 1
            self.acked.append(words["client_id"])
            await asyncio.sleep(self.pause)

    async def everybody_hears(self) -> None:
        """Wait until each client has something that was said after now."""
        mark = max(self._position(client) for client in self.crowd)
        await self._until(lambda client: self._position(client) > mark + len(self.crowd))

    async def _until(self, condition: Callable[[SdkClient], bool]) -> None:
        async with asyncio.timeout(RETURN_SECONDS):
            while not all(condition(client) for client in self.crowd):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    def _position(self, client: SdkClient) -> int:
        for event in reversed(client.events):
            if event["event"] == "publication" and event["channel"] == self.channel:
                found: int = event["offset"]
                return found
        return 0

    async def findings(self) -> list[Finding]:
        """Stop speaking, let everybody hear the last word, and compare all with the log."""
        self._is_over = True
        # The last ones to begin a message are told of it within a pause.
        await asyncio.sleep(self.pause + 1)
        log = await asyncio.to_thread(self.log)
        # Whoever does not get there is a finding.
        with contextlib.suppress(TimeoutError):
            await self._until(lambda client: self._position(client) >= log.head)
        records = {c.name: record_of(c.events, self.channel, message_of) for c in self.crowd}
        return check(log, self.acked, records)

    def log(self) -> Log:
        """Read the log out of the database."""
        [epoch] = self.site.query(POSITION.format(channel=self.channel))
        rows = [
            json.loads(row) for row in self.site.query(PUBLICATIONS.format(channel=self.channel))
        ]
        return Log(epoch, {offset: message_of(json.loads(data)) for offset, data in rows})

    @property
    def reconnects(self) -> int:
        """How many times clients came back."""
        return sum(len(client.of("connected")) - 1 for client in self.crowd)
