"""Beat's scheduler: Celery's persistent one, which a broker that is away does not upset."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery.beat import PersistentScheduler, SchedulingError

from shared.telemetry import metrics

__all__ = ["PatientScheduler"]

logger = logging.getLogger(__name__)

_REFUSED_SECONDS = 5.0


class PatientScheduler(PersistentScheduler):
    """
    Says once that the broker takes no tasks and once that it does again.

    Celery's own logs every failed round with its traceback and stack. A round that was not sent
    is not made up for: every scheduled task looks at everything that is due, so the next does.
    """

    # True from the first failure until a round is sent.
    _broken = False

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send one due task; count it where the broker does not take it."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            metrics.BROKER_PUBLISH_ERRORS.labels(service="beat", reason="connection").inc()
            self._tell_away(error)
            return
        self._tell_back()

    def _ensure_connected(self) -> Any:
        """Wait for the broker, for ever, which Celery's own does with a line at each try."""
        while True:
            try:
                connection = self.connection.ensure_connection(
                    lambda error, _: self._tell_away(error)
                )
            except Exception as error:
                # A login that is refused, say, which may be right in a moment.
                self._tell_away(error)
                time.sleep(_REFUSED_SECONDS)
            else:
                self._tell_back()
                return connection

    def _tell_away(self, error: Exception) -> None:
        if not self._broken:
            self._broken = True
            logger.warning("RabbitMQ takes no tasks; beat goes on trying: %s", error)

    def _tell_back(self) -> None:
        if self._broken:
            self._broken = False
            logger.info("RabbitMQ takes tasks again.")
