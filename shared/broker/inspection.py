"""Looking at RabbitMQ with an account's eyes: is it there, and does it let us do what we must?"""

from __future__ import annotations

import contextlib
import enum
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from amqp.exceptions import (
    AccessRefused,
    AMQPError,
    NotAllowed,
    NotFound,
    RecoverableConnectionError,
    ResourceLocked,
)
from kombu import Connection, Consumer, Exchange, Producer, Queue

from shared.broker.tls import verified
from shared.broker.topology import DEAD_LETTERS, GROUPS_EXCHANGE, TASK_QUEUES

__all__ = ["Fault", "Inspection", "inspect"]

_SECONDS = 3
_CONFIRM_SECONDS = 2
_BODY = b"check"
# What a connection raises that ends in the middle of something.
_GONE = (OSError, RecoverableConnectionError)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Fault(enum.StrEnum):
    """What can be wrong with the broker, or with the account."""

    AWAY = "away"
    LOGIN = "login"
    VHOST = "vhost"
    RIGHTS = "rights"
    TOPOLOGY = "topology"
    BLOCKED = "blocked"


@dataclass
class Inspection:
    """
    What was seen of the broker.

    Attributes:
        product: its name and version.
        version: its version alone; empty where it did not say.
        cluster: its cluster's name.
        queues: how many messages wait in those queues of ours that are there.
        faults: what is wrong, each with the broker's own words.
    """

    product: str = ""
    version: str = ""
    cluster: str = ""
    queues: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[Fault, str]] = field(default_factory=list)


def inspect(url: str, *, hears_bells: bool, has_jobs: bool) -> Inspection:
    """
    Do once, on names that go away with the connection, what a service does all the time.

    Args:
        url: the broker, with the account to look with.
        hears_bells: whether the service listens to groups, as gateways do; all ring them.
        has_jobs: whether it sends tasks or takes them.
    """
    seen = Inspection()
    with contextlib.ExitStack() as leaving:
        connection = Connection(
            url,
            connect_timeout=_SECONDS,
            heartbeat=0,
            ssl=verified(url),
            transport_options={
                "confirm_publish": True,
                "read_timeout": _SECONDS,
                "write_timeout": _SECONDS,
            },
        )
        # Not the polite goodbye, which would wait for a peer that hangs.
        leaving.callback(_leave, connection)
        try:
            connection.connect()
        except AccessRefused as error:
            seen.faults.append((Fault.LOGIN, _words(error)))
        except NotAllowed as error:
            seen.faults.append((Fault.VHOST, _words(error)))
        except Exception as error:
            # py-amqp raises more than its own errors and OSError.
            seen.faults.append((Fault.AWAY, _words(error)))
        else:
            _look(connection, seen, hears_bells=hears_bells, has_jobs=has_jobs)
    return seen


def _look(connection: Any, seen: Inspection, *, hears_bells: bool, has_jobs: bool) -> None:
    alarms: list[str] = []
    connection.connection.on_blocked = lambda reason: alarms.append(str(reason))
    told = connection.connection.server_properties
    seen.version = str(told.get("version", ""))
    seen.product = f"{told.get('product', 'a broker')} {seen.version}".strip()
    seen.cluster = str(told.get("cluster_name", ""))
    steps: list[Callable[[Any], None]] = [_hear_a_bell if hears_bells else _ring_a_bell]
    if has_jobs:
        steps.append(_take_a_task)
    for step in steps:
        try:
            # Of its own: a refusal closes it.
            step(connection.channel())
        except AccessRefused as error:
            seen.faults.append((Fault.RIGHTS, _words(error)))
        except TimeoutError:
            why = alarms[0] if alarms else f"no confirm in {_CONFIRM_SECONDS} s"
            seen.faults.append((Fault.BLOCKED, why))
            # Nothing more is answered on this connection.
            return
        except _GONE as error:
            seen.faults.append((Fault.AWAY, _words(error)))
            return
        except (AMQPError, LookupError) as error:
            seen.faults.append((Fault.TOPOLOGY, _words(error)))
    if has_jobs:
        try:
            seen.queues = _depths(connection)
        except _GONE as error:
            seen.faults.append((Fault.AWAY, _words(error)))


def _ring_a_bell(channel: Any) -> None:
    GROUPS_EXCHANGE(channel).declare()
    # To a group that nobody has.
    _publish(channel, GROUPS_EXCHANGE, f"check.{secrets.token_hex(8)}")


def _hear_a_bell(channel: Any) -> None:
    GROUPS_EXCHANGE(channel).declare()
    # As the layer names its queues; its rights are for such names alone.
    name = "channels_" + "".join(secrets.choice(_LETTERS) for _ in range(20))
    _there_and_back(channel, _passing(name, GROUPS_EXCHANGE, name), GROUPS_EXCHANGE)


def _take_a_task(channel: Any) -> None:
    name = f"carillon.check.{secrets.token_hex(8)}"
    _there_and_back(channel, _passing(name), Exchange(""))


def _passing(name: str, exchange: Exchange | None = None, key: str = "") -> Queue:
    """Return a queue that goes away with the connection."""
    return Queue(
        name,
        exchange or Exchange(""),
        routing_key=key or name,
        durable=False,
        exclusive=True,
        auto_delete=True,
        no_ack=True,
    )


def _there_and_back(channel: Any, queue: Queue, exchange: Exchange) -> None:
    bound = queue(channel)
    bound.declare()
    _publish(channel, exchange, queue.routing_key)
    # Consuming, as the services do, takes the same right.
    heard: list[Any] = []
    with Consumer(channel, [bound], callbacks=[lambda body, _: heard.append(body)], no_ack=True):
        channel.connection.drain_events(timeout=_CONFIRM_SECONDS)
    if not heard:
        raise LookupError(f"what was sent to {queue.name!r} did not come back")


def _publish(channel: Any, exchange: Exchange, key: str) -> None:
    Producer(channel, exchange=exchange, auto_declare=False).publish(
        _BODY,
        routing_key=key,
        delivery_mode=1,
        content_type="application/octet-stream",
        content_encoding="binary",
        retry=False,
        confirm_timeout=_CONFIRM_SECONDS,
    )


def _depths(connection: Any) -> dict[str, int]:
    """Return how many messages wait in each of our queues that is there and may be looked at."""
    found = {}
    for queue in (*TASK_QUEUES, DEAD_LETTERS):
        with contextlib.suppress(NotFound, AccessRefused, ResourceLocked):
            declared: Any = queue(connection.channel()).queue_declare(passive=True)
            found[queue.name] = declared.message_count
    return found


def _leave(connection: Any) -> None:
    with contextlib.suppress(Exception):
        connection.collect(0.1)


def _words(error: Exception) -> str:
    told = getattr(error, "reply_text", "") or str(error) or type(error).__name__
    return " ".join(str(told).split())
