"""The one Celery app. Services find tasks through INSTALLED_APPS; producers name them by string."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from typing import Any

from celery import Celery, signals
from django.conf import settings

from shared.broker.tls import verified
from shared.broker.topology import TASK_QUEUES
from shared.telemetry import metrics

__all__ = ["SENT_AT", "app", "queue_of", "send"]

logger = logging.getLogger(__name__)

app = Celery("carillon")
app.conf.update(
    broker_url=getattr(settings, "BROKER_URL", "memory://"),
    broker_use_ssl=verified(getattr(settings, "BROKER_URL", "")),
    broker_connection_retry_on_startup=True,
    # For ever: a worker that gives up after a hundred tries is one that somebody has to start.
    broker_connection_max_retries=None,
    broker_heartbeat=10,
    broker_transport_options={
        # Without confirms a task vanishes when the broker restarts (celery#9149).
        "confirm_publish": True,
        "connect_timeout": 3,
        "read_timeout": 20,
        "write_timeout": 5,
    },
    task_default_queue="carillon.default",
    task_default_exchange="carillon.tasks",
    task_default_exchange_type="topic",
    task_default_routing_key="default",
    task_default_queue_type="quorum",
    task_queues=TASK_QUEUES,
    task_routes={
        "bulk.*": {"queue": "carillon.bulk"},
        "worker.*": {"queue": "carillon.rounds"},
    },
    worker_detect_quorum_queues=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=30,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_time_limit=60,
    timezone="UTC",
)
app.autodiscover_tasks()

# The header in which a message says when it was sent.
SENT_AT = "carillon_sent_at"

_QUEUES = {queue.routing_key for queue in TASK_QUEUES}
_TIMEOUT_SECONDS = 2
_BREAKER_SECONDS = 5.0


def queue_of(routing_key: str | None) -> str:
    """Return a queue's name as metrics label it: `default`, `rounds`, `bulk`, or `other`."""
    return routing_key if routing_key in _QUEUES else "other"


def send(name: str, *args: Any, expires: float) -> bool:
    """
    Send a task for which something else stands in when it is lost; say whether the broker took it.

    It never raises, and waits seconds at most: after a failure a breaker drops what comes until
    five seconds have passed. In the embedded form there is no broker, and nothing is sent.

    Args:
        name: the task's.
        args: its arguments, JSON.
        expires: after how many seconds in the queue it is not run any more.
    """
    return bool(settings.BROKER_URL) and _sender.send(name, args, expires)


class _Sender:
    """A connection of this process to the broker, for tasks alone; made anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # None while there is no usable connection.
        self._connection: Any = None
        self._producer: Any = None
        # True from the first failure until a task is taken again.
        self._broken = False
        self._retry_at = 0.0
        os.register_at_fork(after_in_child=self._forget)

    def send(self, name: str, args: tuple[Any, ...], expires: float) -> bool:
        # Whoever cannot have the connection soon is not kept waiting for a broker that hangs.
        if not self._lock.acquire(timeout=_TIMEOUT_SECONDS):
            return self._dropped()
        try:
            if time.monotonic() < self._retry_at:
                return self._dropped()
            try:
                self._publish(name, args, expires)
            except Exception:
                # A connection that was idle may have been cut long ago; py-amqp raises anything.
                self._drop()
                self._publish(name, args, expires)
        except Exception as error:
            self._drop()
            self._break(error)
            return self._dropped()
        finally:
            self._lock.release()
        if self._broken:
            self._broken = False
            logger.info("RabbitMQ takes tasks again.")
        return True

    def _publish(self, name: str, args: tuple[Any, ...], expires: float) -> None:
        if self._producer is None:
            self._connection = app.connection_for_write(
                settings.BROKER_URL,
                connect_timeout=_TIMEOUT_SECONDS,
                heartbeat=0,
                transport_options=dict.fromkeys(
                    ("connect_timeout", "read_timeout", "write_timeout"), _TIMEOUT_SECONDS
                ),
            )
            self._connection.ensure_connection(max_retries=0, timeout=_TIMEOUT_SECONDS)
            self._producer = app.amqp.Producer(self._connection.channel(), auto_declare=False)
        app.send_task(
            name,
            args,
            producer=self._producer,
            expires=expires,
            retry=False,
            confirm_timeout=_TIMEOUT_SECONDS,
        )

    def _break(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + _BREAKER_SECONDS
        if not self._broken:
            self._broken = True
            logger.warning("RabbitMQ takes no tasks; beat will send them again: %s", error)

    def _dropped(self) -> bool:
        metrics.BROKER_PUBLISH_ERRORS.labels(service=settings.CARILLON_SERVICE, reason="task").inc()
        return False

    def _drop(self) -> None:
        """Forget the connection without the polite goodbye, which would wait for a dead peer."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.collect(0.1)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._connection = self._producer = None
        self._broken = False
        self._retry_at = 0.0


_sender = _Sender()


@signals.before_task_publish.connect
def _stamp(headers: dict[str, Any], **_: Any) -> None:
    headers[SENT_AT] = time.time()
