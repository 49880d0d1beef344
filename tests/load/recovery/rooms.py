"""Rooms, and what is said there by the process that measures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection

from shared.accounts.models import User
from shared.chat.actions import do_create_room, do_send_message
from shared.realtime import streams
from shared.realtime.history import history
from shared.realtime.positions import Position
from tests.load.recovery.accounts import Log

__all__ = ["Rooms"]

WORDS = "What was said while somebody was away, in as many words as people use. " * 2


class Rooms:
    """Some rooms that are open to all."""

    def __init__(self, owner: User, names: Sequence[str]) -> None:
        self._owner = owner
        self._names = names
        self._said = 0
        for name in names:
            do_create_room(owner, name)

    @property
    def channels(self) -> list[str]:
        return [f"chat:{name}" for name in self._names]

    def say(self, each: int) -> None:
        """Say so much in each room."""
        for _ in range(each):
            for name in self._names:
                self._say(name)

    @contextmanager
    def filled(self, per_second: float) -> Iterator[None]:
        """Go on to say something in one room after the other, during the block."""
        over = threading.Event()

        def talk() -> None:
            began, said = time.monotonic(), 0
            while not over.wait(max(0.0, began + said / per_second - time.monotonic())):
                self._say(self._names[said % len(self._names)])
                said += 1
            connection.close()

        talking = threading.Thread(target=talk, name="talk")
        talking.start()
        try:
            yield
        finally:
            over.set()
            talking.join()

    def head(self, channel: str) -> Position:
        return streams.touch(channel).position

    def log(self, channel: str) -> Log:
        found = history(channel).publications
        return {publication.offset: json.loads(publication.data) for publication in found}

    def _say(self, name: str) -> None:
        self._said += 1
        do_send_message(self._owner, name, f"{self._said} {WORDS}")
