"""Applications that run: one task for each connection, which has to end with it."""

from __future__ import annotations

import asyncio
import logging

from shared.telemetry import metrics

__all__ = ["Running"]

logger = logging.getLogger(__name__)


class Running:
    """
    What the server keeps of a connection.

    Attributes:
        task: the application's, once it has been started.
        is_gone: whether the connection is.
    """

    __slots__ = ("is_gone", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.is_gone = False

    @property
    def has_ended(self) -> bool:
        """Whether no application runs, or none yet."""
        return self.task is None or self.task.done()

    def end(self) -> None:
        """Cancel an application whose connection has been gone for a while."""
        self._cancel("lingering", "did not end in time")

    def end_stuck(self, seconds: float) -> None:
        """Cancel an application that takes nothing of what its client sends."""
        self._cancel("stuck", f"took nothing for {seconds:g} s")

    def _cancel(self, reason: str, words: str) -> None:
        if self.task is not None and not self.task.done():
            logger.warning("A connection's application %s and was cancelled.", words)
            metrics.APPLICATIONS_CANCELLED.labels(reason=reason).inc()
            self.task.cancel()
