"""The publisher: one thread per process that carries bells from a bounded queue to RabbitMQ."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from django.conf import settings

from shared.broker.sender import Failure, Sender, SendFailed
from shared.broker.topology import BELLS_GROUP
from shared.broker.wire import FanOut, Published, bells, fan_out_bells
from shared.telemetry import metrics

__all__ = ["BrokerBell", "Publisher"]

# What stands in the queue: one publication, or many that share their texts.
type Item = Published | FanOut

logger = logging.getLogger(__name__)

_QUEUE_ITEMS = 10_000
_QUEUE_CHARACTERS = 32 * 1024 * 1024
_BATCH_ITEMS = 2_000
_BREAKER_SECONDS = 0.5
_FLUSH_SECONDS = 1.0


class BrokerBell:
    """The real form's bell: a `Publisher` of this very process, made anew after a fork."""

    def __init__(self) -> None:
        self._publisher: Publisher | None = None
        self._lock = threading.Lock()
        # A fork while another thread holds the lock would leave it locked in the child for ever.
        os.register_at_fork(after_in_child=self._forget)
        atexit.register(self.flush)

    def ring(self, publications: Sequence[Published]) -> None:
        """Queue the publications for the publisher thread and return."""
        self._the_publisher().put(publications)

    def ring_fan_out(self, fan_out: FanOut) -> None:
        """Queue publications that share their texts for the publisher thread and return."""
        self._the_publisher().put([fan_out])

    def flush(self) -> None:
        """Send what is queued, for a second at most, and end the thread."""
        if self._publisher is not None:
            self._publisher.close(_FLUSH_SECONDS)

    def _the_publisher(self) -> Publisher:
        with self._lock:
            if self._publisher is None:
                self._publisher = Publisher(settings.BROKER_URL, settings.CARILLON_SERVICE)
            return self._publisher

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._publisher = None


class Publisher:
    """
    Sends what is put into its queue as few bells, in order, from a thread of its own.

    While the broker fails, a breaker is open: what is put then is dropped and counted at once,
    and after half a second the next bell tries again. One line is logged when the broker goes
    and one when it is back.
    """

    def __init__(self, url: str, service: str) -> None:
        self._sender = Sender(url)
        self._service = service
        self._queue: deque[Item] = deque()
        self._queued_characters = 0
        self._wake = threading.Condition()
        # True from the first failure until a bell is confirmed again.
        self._broken = False
        self._retry_at = 0.0
        self._busy = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="bell-publisher", daemon=True)
        self._thread.start()

    def put(self, items: Sequence[Item]) -> None:
        """
        Queue publications; drop and count them when the queue is full or the breaker open.

        An empty queue takes whatever comes at once: it is there already.
        """
        with self._wake:
            if self._closing or time.monotonic() < self._retry_at:
                self._count(Failure.BREAKER_OPEN, _publications(items))
                return
            size = _characters(items)
            if self._queue and (
                len(self._queue) + len(items) > _QUEUE_ITEMS
                or self._queued_characters + size > _QUEUE_CHARACTERS
            ):
                self._count(Failure.QUEUE_FULL, _publications(items))
            else:
                self._queue.extend(items)
                self._queued_characters += size
                self._wake.notify()

    def close(self, timeout: float) -> None:
        """Send what is queued, for at most so many seconds, and end the thread."""
        deadline = time.monotonic() + timeout
        with self._wake:
            while (self._queue or self._busy) and (left := deadline - time.monotonic()) > 0:
                self._wake.wait(left)
            self._closing = True
            self._wake.notify_all()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if self._closing:
                    break
                count = min(len(self._queue), _BATCH_ITEMS)
                batch = [self._queue.popleft() for _ in range(count)]
                self._queued_characters -= _characters(batch)
                self._busy = True
            try:
                self._send(batch)
            except Exception:
                # Nothing may end this thread: without it no bell would ever ring again.
                logger.exception("A bell could not be made.")
            finally:
                with self._wake:
                    self._busy = False
                    self._wake.notify_all()
        self._sender.close()

    def _send(self, batch: Sequence[Item]) -> None:
        unsent = _publications(batch)
        for body, count in _bells(batch):
            unsent -= count
            started = time.monotonic()
            try:
                self._send_once_more(body)
            except SendFailed as error:
                self._count(error.failure, count)
                if error.failure is not Failure.NACKED:
                    self._break(error, unsent)
                    return
            metrics.BROKER_PUBLISH_DURATION.labels(service=self._service).observe(
                time.monotonic() - started
            )
            if self._broken:
                self._broken = False
                logger.info("RabbitMQ takes bells again.")

    def _send_once_more(self, body: bytes) -> None:
        """Send; after a lost connection once more on a fresh one: offsets make repeats harmless."""
        try:
            self._sender.send(BELLS_GROUP, body)
        except SendFailed as error:
            if error.failure is not Failure.CONNECTION or self._broken:
                raise
            self._sender.send(BELLS_GROUP, body)

    def _break(self, error: SendFailed, unsent: int) -> None:
        if not self._broken:
            self._broken = True
            logger.warning(
                "RabbitMQ takes no bells (%s); gateways deliver from the log until it does.", error
            )
        with self._wake:
            self._retry_at = time.monotonic() + _BREAKER_SECONDS
            dropped = _publications(self._queue) + unsent
            self._queue.clear()
            self._queued_characters = 0
        if dropped:
            self._count(Failure.BREAKER_OPEN, dropped)

    def _count(self, failure: Failure, publications: int) -> None:
        metrics.BROKER_PUBLISH_ERRORS.labels(service=self._service, reason=failure.value).inc(
            publications
        )


def _bells(batch: Sequence[Item]) -> Iterator[tuple[bytes, int]]:
    """Yield the bells of a batch in its order; neighbours that can share one do."""
    for many, items in groupby(batch, key=lambda item: isinstance(item, FanOut)):
        if many:
            for item in items:
                assert isinstance(item, FanOut), "as grouped"
                yield from fan_out_bells(BELLS_GROUP, item)
        else:
            yield from bells(BELLS_GROUP, (item for item in items if isinstance(item, Published)))


def _publications(items: Iterable[Item]) -> int:
    return sum(len(item) if isinstance(item, FanOut) else 1 for item in items)


def _characters(items: Iterable[Item]) -> int:
    return sum(item.characters if isinstance(item, FanOut) else len(item.data) for item in items)
