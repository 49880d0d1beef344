"""A listener on the broker that has nothing to do with ours, but the bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kombu import Connection, Consumer, Queue

from shared.broker.seals import opened
from shared.broker.topology import BELLS_GROUP, GROUPS_EXCHANGE
from shared.broker.wire import decode, read_bell

__all__ = ["Ear", "wait_for"]


def wait_for(condition: Callable[[], Any], within: float = 15) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Ear:
    """A queue of its own that hears the group `bells`, whatever happens to the publisher."""

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)
        queue = Queue(exchange=GROUPS_EXCHANGE, routing_key=BELLS_GROUP, exclusive=True)
        self.bodies: list[bytes] = []
        self._consumer = Consumer(self._connection, [queue], on_message=self._take, no_ack=True)
        self._consumer.consume()

    def _take(self, message: Any) -> None:
        self.bodies.append(bytes(message.body))

    @property
    def offsets(self) -> list[int]:
        """The offsets of all publications, in the order they came."""
        return [each.offset for event in self.events for each in read_bell(event)]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was sent by processes of ours, in the order it came."""
        return [opened(decode(body)) for body in self.bodies]

    def hear(self, until: Callable[[], Any], within: float = 15) -> None:
        """Take what comes until the condition holds."""
        deadline = time.monotonic() + within
        while not until():
            assert time.monotonic() < deadline, f"heard only {self.offsets[-5:]}"
            try:
                self._connection.drain_events(timeout=0.1)
            except TimeoutError:
                continue

    def close(self) -> None:
        self._connection.release()
