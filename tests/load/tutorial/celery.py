"""The tutorial's Celery app, with Celery's defaults."""

from __future__ import annotations

from celery import Celery
from django.conf import settings

__all__ = ["app"]

app = Celery("tutorial", broker=settings.BROKER_URL)
app.conf.update(
    # Queues that RabbitMQ keeps apart from Carillon's.
    task_default_queue="celery.tutorial",
    task_ignore_result=True,
    worker_enable_remote_control=False,
)
app.autodiscover_tasks(["tests.load.tutorial"])
