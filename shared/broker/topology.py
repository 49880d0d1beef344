"""Names and declarations on the broker: the layer's exchange, its groups, Celery's queues."""

from __future__ import annotations

import re

from kombu import Connection, Exchange, Queue

__all__ = [
    "BELLS_GROUP",
    "DEAD_LETTERS",
    "GROUPS_EXCHANGE",
    "TASK_QUEUES",
    "declare_dead_letters",
    "gateway_group",
]

# Every gateway is a member; a bell here reaches them all.
BELLS_GROUP = "bells"

# As channels-rabbitmq declares it. Declared durable, it would lock every layer out with 406.
GROUPS_EXCHANGE = Exchange(
    "groups", type="direct", durable=False, auto_delete=False, delivery_mode=1
)

_TASKS = Exchange("carillon.tasks", type="topic", durable=True)
_DEAD_LETTERS_EXCHANGE = Exchange("carillon.dead_letters", type="topic", durable=True)
_QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 10}

# What workers consume. Bulk jobs have a queue and workers of their own, so that nothing waits
# behind them. Beat's rounds and bulk jobs have no dead letters: RabbitMQ puts messages that expire
# among them, and here one that expires is no loss: the next round, or a job's row, stands in.
TASK_QUEUES = (
    Queue(
        "carillon.default",
        _TASKS,
        routing_key="default",
        queue_arguments={**_QUORUM, "x-dead-letter-exchange": _DEAD_LETTERS_EXCHANGE.name},
    ),
    Queue("carillon.rounds", _TASKS, routing_key="rounds", queue_arguments=_QUORUM),
    Queue("carillon.bulk", _TASKS, routing_key="bulk", queue_arguments=_QUORUM),
)

DEAD_LETTERS = Queue(
    "carillon.dead_letters",
    _DEAD_LETTERS_EXCHANGE,
    routing_key="#",
    queue_arguments={"x-queue-type": "quorum"},
)

_GATEWAY_ID = re.compile(r"[a-z0-9._-]{1,80}")


def declare_dead_letters(connection: Connection) -> None:
    """
    Make the queue for tasks that were tried ten times.

    Nobody consumes it: what lands there is for people to look at, and alerts watch its depth. A
    worker that had it among its queues would try the poison again.
    """
    with connection.channel() as channel:
        DEAD_LETTERS.bind(channel).declare()


def gateway_group(gateway_id: str) -> str:
    """
    Return the group of one gateway process.

    Raises:
        ValueError: an id that the channel layer would not take as a group's name.
    """
    if not _GATEWAY_ID.fullmatch(gateway_id):
        raise ValueError(f"{gateway_id!r} is not a gateway id: use 1-80 of [a-z0-9._-].")
    return f"gateway.{gateway_id}"
