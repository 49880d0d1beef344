"""A chat room of one test: what is said in it, and its log as the database has it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import psycopg

from tests.client import Session
from tests.integration.traffic import fresh_room
from tests.sdk.checker import Log
from tests.sdk.client import SdkClient
from tests.servers import RunningStack

__all__ = ["Room", "message_of", "user_id_of"]

POSITION = """
    SELECT s.epoch || '-' || d.incarnation FROM realtime_stream s, realtime_deployment d
    WHERE s.channel = %s
"""
PUBLICATIONS = """
    SELECT p."offset", p.data FROM realtime_publication p
    JOIN realtime_stream s ON s.id = p.stream_id WHERE s.channel = %s ORDER BY 1
"""
# What the worker does each minute, for a namespace that keeps less.
TRIM = """
from shared.realtime.namespaces import named
from shared.realtime.retention import trim
named("chat").history_size = {keep}
trim()
"""


class Room:
    """
    A room and its channel.

    Attributes:
        name, channel: of the room.
        acked: the messages whose senders were told that they are stored, by their client_id.
    """

    def __init__(self, stack: RunningStack, owner: Session, *, members_only: bool = False) -> None:
        self.name = fresh_room(owner, members_only=members_only)
        self.channel = f"chat:{self.name}"
        self.acked: list[str] = []
        self._stack = stack
        self._numbers = itertools.count(1)

    def words(self) -> dict[str, Any]:
        """Return a publication's data that is unlike all others."""
        number = next(self._numbers)
        return {"message": f"message {number}", "client_id": f"{self.name}-{number}"}

    async def say(self, client: SdkClient, messages: int = 1) -> None:
        """Have a client say something, one after the other, each acknowledged."""
        for _ in range(messages):
            words = self.words()
            await client.publish(self.channel, words)
            self.acked.append(words["client_id"])

    def post(self, session: Session, messages: int = 1) -> None:
        """Have a person say something over HTTP, which needs no gateway."""
        address = f"/api/v1/rooms/{self.name}/messages"
        session.http.get("/rooms/")
        token = next(v for n, v in session.http.cookies.items() if "csrf" in n)
        headers = {"Origin": session.url, "X-CSRFToken": token}
        for _ in range(messages):
            words = self.words()
            answer = session.http.post(address, json=words, headers=headers)
            assert answer.status_code == 201, answer.text
            self.acked.append(words["client_id"])

    def log(self) -> Log:
        """Read the log, beside everything that is tested."""
        with psycopg.connect(self._stack.database_url) as connection:
            epochs = connection.execute(POSITION, [self.channel]).fetchall()
            rows = connection.execute(PUBLICATIONS, [self.channel]).fetchall()
        epoch = epochs[0][0] if epochs else ""
        return Log(epoch, {offset: message_of(json.loads(data)) for offset, data in rows})

    def trim(self, keep: int) -> None:
        """Cut the log to its newest publications, as retention does."""
        code = TRIM.format(keep=keep)
        self._stack.manage("shell", "--verbosity", "0", "--command", code)


def message_of(data: Any) -> str:
    """Return a message's own name, as the sender made it."""
    name: str = data["client_id"]
    return name


def user_id_of(session: Session) -> str:
    """Return the id of who is signed in, as the protocol writes it."""
    return str(session.http.get("/api/v1/session").json()["user"]["id"])
