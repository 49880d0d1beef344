"""Beat's scheduler: Celery's persistent one, which a broker that is away does not upset."""

from __future__ import annotations

import logging
from typing import Any

from celery.beat import PersistentScheduler, SchedulingError

from shared.telemetry import metrics

__all__ = ["PatientScheduler"]

logger = logging.getLogger(__name__)


class PatientScheduler(PersistentScheduler):
    """
    Says once that the broker takes no tasks and once that it does again.

    Celery's own logs every failed round with its traceback and stack. A round that was not sent
    is not made up for: every scheduled task looks at everything that is due, so the next does.
    """

    # True from the first round that could not be sent until one is.
    _broken = False

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send one due task; count it where the broker does not take it."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            metrics.BROKER_PUBLISH_ERRORS.labels(service="beat", reason="connection").inc()
            if not self._broken:
                self._broken = True
                logger.warning("RabbitMQ takes no tasks; beat goes on trying: %s", error)
            return
        if self._broken:
            self._broken = False
            logger.info("RabbitMQ takes tasks again.")
