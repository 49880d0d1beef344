"""The embedded form's worker: two threads that do what Celery and beat do elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from django.db import close_old_connections

from services.worker.maintenance import SCHEDULE
from shared.bulk import lanes, outbox

__all__ = ["start"]

logger = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
# A job that was started runs within a second.
_JOB_TICK_SECONDS = 0.5


def start() -> None:
    """Start the threads; they end with the process."""
    threading.Thread(target=_run_schedule, name="worker", daemon=True).start()
    # One of its own, so that housekeeping and jobs do not wait for each other.
    threading.Thread(target=_run_jobs, name="bulk-worker", daemon=True).start()


def _run_schedule() -> NoReturn:
    due = {call: time.monotonic() + period.total_seconds() for call, period in SCHEDULE.items()}
    while True:
        time.sleep(_TICK_SECONDS)
        for call, at in due.items():
            if time.monotonic() >= at:
                _survive(call)
                due[call] = time.monotonic() + SCHEDULE[call].total_seconds()


def _run_jobs() -> NoReturn:
    while True:
        time.sleep(_JOB_TICK_SECONDS)
        _survive(_drain_jobs)


def _drain_jobs() -> None:
    # In turns: none waits for a big one to end.
    for job_id in outbox.due_jobs().values_list("pk", flat=True):
        lanes.drain(job_id, seconds=_TICK_SECONDS)


def _survive(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:
        # The next round may go well; a dead thread never would.
        logger.exception("%s failed.", call.__name__)
    finally:
        close_old_connections()
