"""One kombu connection that publishes to the groups exchange and waits for the confirm."""

from __future__ import annotations

import contextlib
import enum

from amqp.exceptions import MessageNacked
from kombu import Connection, Producer

from shared.broker.seals import sealed
from shared.broker.tls import verified
from shared.broker.topology import GROUPS_EXCHANGE

__all__ = ["Failure", "SendFailed", "Sender"]

_CONNECT_SECONDS = 3
_CONFIRM_SECONDS = 2
_SOCKET_SECONDS = 5


class Failure(enum.StrEnum):
    """Why a bell did not go out; the values are metric labels."""

    NACKED = "nacked"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    QUEUE_FULL = "queue_full"
    BREAKER_OPEN = "breaker_open"


class SendFailed(Exception):
    """
    The broker did not confirm.

    Attributes:
        failure: which kind it was.
    """

    def __init__(self, failure: Failure, cause: str) -> None:
        self.failure = failure
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.failure}: {self.cause}"


class Sender:
    """
    Publishes bodies with confirms; every call ends within seconds, whatever the broker does.

    Not thread-safe: one thread owns it. It connects on first use, and again after any failure.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        # None while there is no usable connection.
        self._producer: Producer | None = None
        self._connection: Connection | None = None

    def send(self, group: str, body: bytes) -> None:
        """
        Publish one body to a group and wait until the broker has taken it.

        Raises:
            SendFailed: it was not confirmed. After NACKED (one gateway's queue was full, the
                others got it) the connection stays; after the rest it is dropped, because
                py-amqp does not match a late confirm to its message.
        """
        try:
            self._ready().publish(
                sealed(group, body),
                exchange=GROUPS_EXCHANGE,
                declare=[GROUPS_EXCHANGE],
                routing_key=group,
                delivery_mode=1,
                content_type="application/msgpack",
                content_encoding="binary",
                retry=False,
                confirm_timeout=_CONFIRM_SECONDS,
            )
        except MessageNacked as error:
            raise SendFailed(Failure.NACKED, "a gateway's queue is full") from error
        except TimeoutError as error:
            self.drop()
            raise SendFailed(Failure.TIMEOUT, "no confirm in time") from error
        except Exception as error:
            # On a connection that is cut at the wrong moment py-amqp raises more than its own
            # errors and OSError.
            self.drop()
            raise SendFailed(Failure.CONNECTION, f"{type(error).__name__}: {error}") from error

    def drop(self) -> None:
        """Forget the connection without the polite goodbye, which would wait for a dead peer."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.collect(0.1)

    def close(self) -> None:
        """Say goodbye to the broker, briefly."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.release()

    def _ready(self) -> Producer:
        if self._producer is None:
            connection = Connection(
                self._url,
                connect_timeout=_CONNECT_SECONDS,
                heartbeat=0,
                ssl=verified(self._url),
                transport_options={
                    "confirm_publish": True,
                    "read_timeout": _SOCKET_SECONDS,
                    "write_timeout": _SOCKET_SECONDS,
                },
            )
            self._connection = connection
            # `default_channel` would retry for ever while the broker is away.
            connection.connect()
            self._producer = Producer(connection.channel(), auto_declare=False)
        return self._producer
