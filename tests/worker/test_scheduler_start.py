"""Beat, started before the broker lets it in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import Celery

from services.worker import scheduler as module
from services.worker.scheduler import PatientScheduler


class Refusing:
    """A connection that is refused twice, then away twice, then there."""

    def __init__(self) -> None:
        self.tries = 0

    def ensure_connection(self, errback: Callable[[Exception, float], None]) -> Refusing:
        self.tries += 1
        if self.tries < 3:
            raise PermissionError("(403) ACCESS_REFUSED")
        for seconds in (2.0, 4.0):
            errback(OSError("refused"), seconds)
        return self

    def release(self) -> None:
        """There is nothing to let go of."""


def test_waits_for_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It tries until it is let in, and says so once at either end."""
    waits: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    app = Celery("beat-under-test", broker="memory://localhost", set_as_current=False)
    beat = PatientScheduler(app, schedule_filename=str(tmp_path / "schedule"))
    beat.connection = Refusing()
    with caplog.at_level(logging.INFO, "services.worker.scheduler"):
        assert beat._ensure_connected() is beat.connection
    beat.close()
    assert waits == [5.0, 5.0]
    assert [record.getMessage() for record in caplog.records] == [
        "RabbitMQ takes no tasks; beat goes on trying: (403) ACCESS_REFUSED",
        "RabbitMQ takes tasks again.",
    ]
