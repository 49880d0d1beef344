"""The embedded form's worker: a thread that runs what Celery and beat run elsewhere."""

from __future__ import annotations

import logging
import threading
import time

from django.db import close_old_connections

from services.worker.maintenance import SCHEDULE

__all__ = ["start"]

logger = logging.getLogger(__name__)

_TICK_SECONDS = 1.0


def start() -> None:
    """Start the thread; it ends with the process."""
    threading.Thread(target=_run, name="worker", daemon=True).start()


def _run() -> None:
    due = {call: time.monotonic() + period.total_seconds() for call, period in SCHEDULE.items()}
    while True:
        time.sleep(_TICK_SECONDS)
        for call, at in due.items():
            if time.monotonic() < at:
                continue
            try:
                call()
            except Exception:
                # The next round may go well; a dead thread never would.
                logger.exception("%s failed.", call.__name__)
            finally:
                close_old_connections()
            due[call] = time.monotonic() + SCHEDULE[call].total_seconds()
