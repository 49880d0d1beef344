"""
A load that knows what it did: sockets, messages, refusals, requests, a bulk job, a drain.

Everything it does is counted on its own side of the wire, never read from a metric.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import psycopg

from tests.client import Session
from tests.integration.audience import Listener, until
from tests.integration.traffic import TimedClient, fresh_room, latencies, open_chat, send
from tests.load.frames import opening
from tests.sdk.client import CommandFailed, SdkClient, websocket_url
from tests.sdk.conftest import clients_of
from tests.servers import RunningStack
from tests.watching.counted import Counted
from tests.watching.sizes import Sizes

__all__ = ["Load", "People"]

# Who comes back twice, to find out two other ways in which that may go.
OTHERWISE = 2
REFUSED = {"origin": 4, "auth": 3, "protocol": 2}
STRANGERS = {"session": 3, "key": 2, "csrf": 1}
RESULTS = ("delivered", "muted", "gone", "failed")


PEOPLE = """
import datetime, json
from shared.accounts.models import User
from tests.load.people import sign_in

cookies = []
for year, crowd, recipients in {wanted}:
    joined = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)
    User.objects.bulk_create(
        [User(username=f"{prefix}-{{year}}-{{n}}", date_joined=joined) for n in range(recipients)]
    )
    people = User.objects.bulk_create(
        [User(username=f"{prefix}-crowd-{{year}}-{{n}}") for n in range(crowd)]
    )
    cookies.append(sign_in([person.pk for person in people]))
print(json.dumps(cookies))
"""


class People:
    """Who is signed in; one for all loads, because signing in takes its time on purpose."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        names = ("alice", "bob", "carol", "admin")
        with ThreadPoolExecutor() as threads:
            found = threads.map(lambda name: Session(stack.url, name), names)
        self.alice, self.bob, self.carol, self.admin = found

    def loads(self, *sizes: Sizes) -> list[Load]:
        """Make the crowds, the recipients and a room for each load; they are done one by one."""
        wanted = [(each.year, sum(each.crowd), each.recipients) for each in sizes]
        code = PEOPLE.format(prefix=f"watched-{time.time_ns()}", wanted=wanted)
        printed = self.stack.manage("shell", "--verbosity", "0", "--command", code)
        cookies: list[list[str]] = json.loads(printed)
        return [Load(self, each, some) for each, some in zip(sizes, cookies, strict=True)]


class Load:
    """
    What is done, and counted.

    As a context it leaves no socket open.
    """

    def __init__(self, people: People, sizes: Sizes, cookies: Sequence[str]) -> None:
        """
        Args:
            people: who is signed in.
            sizes: how much of everything.
            cookies: of the crowd.
        """
        self.stack = people.stack
        self.sizes = sizes
        self.counted = Counted()
        self.crowd: dict[int, list[Listener]] = {}
        self._people = people
        self._cookies = cookies
        self._room = fresh_room(people.alice)
        self._database = psycopg.connect(self.stack.database_url, autocommit=True)
        self._exits = contextlib.AsyncExitStack()
        self._clients: list[SdkClient] = []
        self._said = 0
        # When each message was sent that is not the speaker's, by its client_id.
        self._sent: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()
        everybody = [one for crowd in self.crowd.values() for one in crowd]
        for one in everybody:
            one.leave()
        await until(lambda: not any(one.is_open for one in everybody), 5)
        self._database.close()

    # The load

    async def run(self) -> None:
        """Do all of it; sockets stay open."""
        await self._open_sockets()
        await asyncio.gather(self._talk(), asyncio.to_thread(self._browse), self._tell_many())
        await self._ask()
        await self._come_back()
        await self._knock()
        self._count_messages()
        self._count_jobs()

    async def _open_sockets(self) -> None:
        counted, sizes = self.counted, self.sizes
        cookies = iter(self._cookies)
        for number, count in enumerate(sizes.crowd, 1):
            self.crowd[number] = [
                Listener(self._room, self.stack.url, next(cookies)) for _ in range(count)
            ]
            for listener in self.crowd[number]:
                await self._connect(listener, number)
        self._speaker = await self._enter(1, self._people.alice)
        self._reader = await self._enter(2, self._people.bob)
        make = await self._exits.enter_async_context(clients_of("py"))
        for number in range(sizes.clients):
            client = make(f"client {number}")
            await client.enter(websocket_url(self.stack.gateway_url(2)), self._people.carol)
            await client.join(self._channel, recoverable=True)
            self._clients.append(client)
        counted.clients = sizes.clients
        counted.opened[2] += sizes.clients
        counted.received["centrifuge", "connect"] += sizes.clients
        counted.received["centrifuge", "subscribe"] += sizes.clients
        counted.open = Counter(counted.opened)
        # The crowd is as many people, and three more; each of them is at one gateway.
        counted.users = sum(sizes.crowd) + 3

    @property
    def _channel(self) -> str:
        return f"chat:{self._room}"

    async def _connect(self, listener: Listener, number: int) -> None:
        began = time.monotonic()
        await listener.connect(self.stack.gateway_url(number))
        self.counted.handshake_seconds.append(time.monotonic() - began)
        self.counted.opened[number] += 1

    async def _enter(self, number: int, session: Session) -> TimedClient:
        client = open_chat(session, self.stack.gateway_url(number), self._room)
        began = time.monotonic()
        await self._exits.enter_async_context(client)
        self.counted.handshake_seconds.append(time.monotonic() - began)
        self.counted.opened[number] += 1
        return client

    async def _say(self, messages: int) -> None:
        """Say so many things at a steady rate, by the speaker's socket."""
        await send(self._speaker, messages, self.sizes.per_second)
        counted = self.counted
        counted.received["chat", "publish"] += messages
        counted.committed["gateway"] += messages
        self._said += messages
        await self._speaker.wait_for(lambda one: len(one.texts) == self._said)

    async def _talk(self) -> None:
        """Speak by socket, by SDK and by the API."""
        counted, sizes = self.counted, self.sizes
        await self._say(sizes.messages)
        for number in range(sizes.by_clients):
            client = self._clients[number % sizes.clients]
            words = self._words(f"from a client, {number}")
            await self._timed(client.publish(self._channel, words))
        counted.received["centrifuge", "publish"] += sizes.by_clients
        counted.committed["gateway"] += sizes.by_clients
        path = f"/api/v1/rooms/{self._room}/messages"
        route = "/api/v1/rooms/<room_name:name>/messages"
        for number in range(sizes.by_api):
            words = self._words(f"by the API, {number}")
            answer = await asyncio.to_thread(
                self._call, self._people.alice, "POST", path, route=route, json=words
            )
            assert answer.status_code == 201, answer.text
        counted.committed["web"] += sizes.by_api
        self._said += sizes.by_clients + sizes.by_api
        await self._heard_by_all()

    def _words(self, text: str) -> dict[str, str]:
        """Return a message that is found again where it arrives; it is sent now."""
        client_id = f"w-{self.sizes.year}-{len(self._sent)}"
        self._sent[client_id] = time.monotonic()
        return {"message": text, "client_id": client_id}

    async def _timed(self, command: Awaitable[Any]) -> None:
        began = time.monotonic()
        await command
        self.counted.command_seconds.append(time.monotonic() - began)

    async def _heard_by_all(self) -> None:
        """Wait until all that are here have heard everything."""
        crowd = [one for listeners in self.crowd.values() for one in listeners]
        await until(lambda: all(len(one.offsets) == self._said for one in crowd), 15)
        for client in (self._speaker, self._reader):
            await client.wait_for(lambda one: len(one.texts) == self._said)
        for sdk in self._clients:
            await sdk.wait_for(lambda one: len(one.heard(self._channel)) == self._said)

    def _count_messages(self) -> None:
        """Count what was heard, and how soon."""
        counted, speaker = self.counted, self._speaker
        members = sum(map(len, self.crowd.values())) + 2 + len(self._clients)
        counted.delivered = self._said * members - counted.recovered
        frames = [json.dumps(frame, separators=(",", ":")) for frame in speaker.of_type("chat")]
        counted.bytes_heard = members * sum(map(len, frames))
        counted.bytes_sent += sum(
            len(json.dumps({"message": f"message {number}", "client_id": client_id}))
            for number, client_id in enumerate(speaker.sent)
        )
        sent = {**self._sent, **speaker.sent}
        arrived = [one.got.items() for one in (speaker, self._reader)]
        # They go by the clock on the wall.
        behind = time.time() - time.monotonic()
        for sdk in self._clients:
            heard = sdk.heard(self._channel)
            arrived.append(
                {each["data"]["client_id"]: each["at"] - behind for each in heard}.items()
            )
        counted.latencies = [at - sent[client_id] for items in arrived for client_id, at in items]
        # Its frame is a message's acknowledgement.
        counted.command_seconds += latencies(speaker, speaker)

    async def _ask(self) -> None:
        """Send what is answered, and what is refused."""
        counted, sizes = self.counted, self.sizes
        client = self._clients[0]
        for _ in range(sizes.histories):
            await self._timed(client.history(self._channel, limit=5))
        try:
            await client.history("chat:not-there")
        except CommandFailed as error:
            counted.command_errors["history", str(error.code)] += 1
        counted.received["centrifuge", "history"] += sizes.histories + 1
        for _ in range(sizes.malformed):
            had = len(self._reader.of_type("error"))
            await self._reader.socket.send("no JSON")
            await self._reader.wait_for(lambda one, had=had: len(one.of_type("error")) > had)
        counted.received["chat", "publish"] += sizes.malformed
        codes = [str(frame["code"]) for frame in self._reader.of_type("error")]
        counted.command_errors.update(("publish", code) for code in codes)
        counted.bytes_sent += sizes.malformed * len("no JSON")

    async def _come_back(self) -> None:
        """Some leave without a word, miss something and come back, each to another end."""
        counted, sizes = self.counted, self.sizes
        leavers = self.crowd[1][: sizes.leavers]
        await self._leave(leavers)
        await self._say(sizes.missed)
        for one in leavers:
            await self._connect(one, 1)
        counted.recovered += len(leavers) * sizes.missed
        counted.recoveries["recovered"] += len(leavers)
        await self._heard_by_all()
        # Once more: nothing was said meanwhile; and one whose place is in no log.
        await self._leave(leavers[:OTHERWISE])
        leavers[1].epoch = "nowhere"
        for one in leavers[:OTHERWISE]:
            await self._connect(one, 1)
        counted.recoveries.update(("empty", "gap"))
        # And one who says goodbye.
        visitor = open_chat(self._people.bob, self.stack.gateway_url(1), self._room)
        async with visitor:
            pass
        counted.opened[1] += 1
        counted.closed[1] += 1
        counted.closed_by_code["1000"] += 1

    async def _leave(self, leavers: Sequence[Listener]) -> None:
        for one in leavers:
            one.leave()
        await until(lambda: not any(one.is_open for one in leavers), 5)
        self.counted.closed[1] += len(leavers)
        self.counted.closed_by_code["1006"] += len(leavers)

    async def _knock(self) -> None:
        """Come with handshakes that are refused."""
        url, path = self.stack.gateway_url(1), f"/ws/chat/{self._room}/"
        place = urlsplit(url).netloc
        wrong = {
            "origin": {"Origin": "https://elsewhere.example", "Cookie": self._cookies[0]},
            "auth": {"Origin": self.stack.url},
        }
        for reason, headers in wrong.items():
            for _ in range(REFUSED[reason]):
                status = await _status(place, opening(place, path, headers))
                assert status == 403, (reason, status)
        for _ in range(REFUSED["protocol"]):
            answer = await asyncio.to_thread(httpx.get, f"{url}{path}")
            assert answer.status_code == 426
        self.counted.refused.update(REFUSED)

    # HTTP

    def _call(self, session: Session, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask once, with the page's token where something may change, and count the answer."""
        token = next(v for n, v in session.http.cookies.items() if "csrf" in n)
        headers = {"X-CSRFToken": token, "Origin": session.url, **more.pop("headers", {})}
        return self._ask_http(session.http, method, path, headers=headers, **more)

    def _ask_http(
        self, http: httpx.Client, method: str, path: str, route: str = "", **more: Any
    ) -> httpx.Response:
        began = time.monotonic()
        answer = http.request(method, path, follow_redirects=False, **more)
        self.counted.answer_seconds.append(time.monotonic() - began)
        self.counted.answers[method, route or path, str(answer.status_code)] += 1
        return answer

    def _browse(self) -> None:
        """Ask for pages and for what is not there, with and without a name."""
        counted, http, sizes = self.counted, self._people.bob.http, self.sizes
        for _ in range(sizes.pages):
            assert self._ask_http(http, "GET", "/rooms/").status_code == 200
        for number in range(sizes.nowhere):
            path = f"/nowhere-{number}/"
            assert self._ask_http(http, "GET", path, route="unknown").status_code == 404
        for _ in range(sizes.closed):
            assert self._ask_http(http, "GET", "/desk/closed/").status_code == 503
        token = "/api/v1/realtime/token"
        with httpx.Client(base_url=self.stack.url) as stranger:
            for _ in range(STRANGERS["session"]):
                self._ask_http(stranger, "GET", "/api/v1/session")
            for _ in range(STRANGERS["key"]):
                headers = {"X-API-Key": "a guess"}
                self._ask_http(stranger, "GET", "/api/v1/session", headers=headers)
        for _ in range(STRANGERS["csrf"]):
            headers = {"Origin": self.stack.url}
            self._ask_http(http, "POST", token, headers=headers)
        counted.auth_failures.update(STRANGERS)
        for _ in range(sizes.refused_tokens):
            wish = {"channel": "user:1000000"}
            answer = self._call(self._people.carol, "POST", token, json=wish)
            assert answer.status_code == 403, answer.text
        counted.tokens["refused"] += sizes.refused_tokens
        asker = getattr(self._people, sizes.asker)
        while counted.limited["tokens"] < sizes.too_many:
            answer = self._call(asker, "POST", token)
            if answer.status_code == 429:
                counted.limited["tokens"] += 1
            else:
                assert answer.status_code == 200, answer.text
                counted.tokens["issued"] += 1

    # Bulk

    async def _tell_many(self) -> None:
        """Have a bulk job tell everybody who joined in a year."""
        year = self.sizes.year
        body = {
            "kind": "notifications.message",
            "context": {"title": "To whom it may concern"},
            "audience": {
                "type": "criteria",
                "joined_after": f"{year}-01-01",
                "joined_before": f"{year}-01-02",
            },
        }
        jobs = "/api/v1/bulk-jobs"
        made = await asyncio.to_thread(self._call, self._people.admin, "POST", jobs, json=body)
        assert made.status_code == 201, made.text
        job = made.json()["id"]
        began = time.monotonic()
        step, route = f"{jobs}/{job}/start", f"{jobs}/<int:job_id>/start"
        started = await asyncio.to_thread(self._call, self._people.admin, "POST", step, route=route)
        assert started.is_success, started.text
        state = "SELECT state FROM bulk_bulkjob WHERE id = %s"
        await until(lambda: self._row(state, job)[0] == "finished", 30)
        self.counted.job_seconds = time.monotonic() - began
        sums = ", ".join(f"sum({result})" for result in RESULTS)
        row = self._row(f"SELECT count(*), {sums} FROM bulk_chunk WHERE job_id = %s", job)
        self.counted.chunks = row[0]
        self.counted.recipients.update(dict(zip(RESULTS, row[1:], strict=True)))
        assert self.counted.recipients.total() == self.sizes.recipients

    def _count_jobs(self) -> None:
        query = "SELECT state, count(*) FROM bulk_bulkjob GROUP BY state"
        self.counted.jobs = Counter(dict(self._database.execute(query).fetchall()))

    def _row(self, query: str, *parameters: Any) -> Any:
        return self._database.execute(query, parameters).fetchone()

    # A drain

    async def thin_out(self) -> None:
        """Leave the crowd alone: its pages know another gateway to come back to."""
        await self._exits.aclose()

    @contextlib.asynccontextmanager
    async def draining(self, number: int, refuge: int) -> AsyncIterator[None]:
        """
        Have a gateway send its clients away to another one; they are there in the end.

        One of them does not answer, so that the drain takes its time.
        """
        place = urlsplit(self.stack.gateway_url(number))
        headers = {"Origin": self.stack.url, "Cookie": self._people.bob.cookie}
        deaf = socket.create_connection((place.hostname, place.port))
        deaf.sendall(opening(place.netloc, "/ws/notifications/", headers))
        assert b" 101 " in await asyncio.to_thread(deaf.recv, 1024)
        crowd = self.crowd.pop(number)
        try:
            for one in crowd:
                one.refuge = self.stack.gateway_url(refuge)
            internal = self.stack.internal_url(f"gateway-{number}")
            async with httpx.AsyncClient(base_url=internal) as http:
                assert (await http.post("/drain")).status_code == 202
            yield
            await until(lambda: all(one.is_open and one.endings for one in crowd), 15)
        finally:
            deaf.close()
            self.crowd[refuge] += crowd


async def _status(host: str, request: bytes) -> int:
    """Send a handshake; return the status of its answer."""
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(request)
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])
