from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from prometheus_client import REGISTRY

from services.worker.scheduler import PatientScheduler


def unsent() -> float:
    labels = {"service": "beat", "reason": "connection"}
    return REGISTRY.get_sample_value("carillon_broker_publish_errors_total", labels) or 0.0


def celery(broker: str) -> Celery:
    app = Celery("beat-under-test", broker=broker, set_as_current=False)
    app.conf.task_publish_retry = False
    app.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0}
    app.conf.beat_schedule = {"due": {"task": "under.test", "schedule": 30.0}}
    return app


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[PatientScheduler]:
    """A scheduler whose broker refuses connections: its port is taken, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        app = celery(f"amqp://nobody:nothing@127.0.0.1:{taken.getsockname()[1]}//")
        scheduler = PatientScheduler(app, schedule_filename=str(tmp_path / "schedule"))
        yield scheduler
        scheduler.close()


def test_broker_away(scheduler: PatientScheduler, caplog: pytest.LogCaptureFixture) -> None:
    """Rounds that the broker does not take are counted each, logged once, without a traceback."""
    before = unsent()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            scheduler.apply_entry(scheduler.schedule["due"])
    assert unsent() == before + 3
    (record,) = caplog.records
    assert "RabbitMQ takes no tasks" in record.getMessage()
    assert not record.exc_info


def test_broker_back(scheduler: PatientScheduler, caplog: pytest.LogCaptureFixture) -> None:
    """The first round that is sent again says so, once."""
    scheduler.apply_entry(scheduler.schedule["due"])
    scheduler.app = celery("memory://localhost")
    caplog.clear()
    with caplog.at_level(logging.INFO, "services.worker.scheduler"):
        for _ in range(3):
            scheduler.apply_entry(scheduler.schedule["due"])
    assert [record.getMessage() for record in caplog.records] == ["RabbitMQ takes tasks again."]
