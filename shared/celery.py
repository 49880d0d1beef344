"""The one Celery app. Services find tasks through INSTALLED_APPS; producers name them by string."""

from __future__ import annotations

from celery import Celery
from django.conf import settings

from shared.broker.topology import TASK_QUEUES

__all__ = ["app"]

app = Celery("carillon")
app.conf.update(
    broker_url=getattr(settings, "BROKER_URL", "memory://"),
    broker_connection_retry_on_startup=True,
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
