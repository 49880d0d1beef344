"""Housekeeping of log, sessions and jobs, each a plain call that may be repeated at any time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.core.management import call_command
from django.db import InterfaceError, OperationalError

from shared.bulk import outbox
from shared.ratelimit.actions import do_forget_whole
from shared.realtime import deployment, idempotency, retention
from shared.telemetry import metrics, snapshots

__all__ = [
    "SCHEDULE",
    "clear_sessions",
    "forget_budgets",
    "forget_receipts",
    "probe",
    "probe_bulk",
    "sweep_jobs",
    "trim_streams",
    "watch_snapshots",
    "watch_timeline",
]

logger = logging.getLogger(__name__)


def trim_streams() -> None:
    """Cut streams to their namespace's size and age, for a while."""
    for kind, removed in retention.trim().items():
        metrics.STREAMS_TRIMMED.labels(kind=kind).inc(removed)


def watch_timeline() -> None:
    """Begin a new incarnation when PostgreSQL has failed over, even while no gateway runs."""
    deployment.renew_after_failover()


def watch_snapshots() -> None:
    """Measure for how long the oldest transaction has kept dead rows from being removed."""
    metrics.DB_OLDEST_SNAPSHOT_AGE.set(snapshots.oldest_age())


def sweep_jobs() -> None:
    """Hand jobs that stand still to the workers again, and count the jobs."""
    try:
        swept = outbox.do_sweep()
    except (OperationalError, InterfaceError) as error:
        # The next round comes in seconds.
        logger.warning("Jobs could not be looked at: %s", str(error).strip())
        return
    for state, count in swept.jobs.items():
        metrics.FANOUT_JOBS.labels(state=state.value).set(count)
    metrics.FANOUT_RECIPIENTS_PENDING.set(swept.pending)
    metrics.JOBS_STALE.set(swept.stale)
    metrics.JOB_OLDEST_STALE_AGE.set(swept.oldest_seconds)
    metrics.JOBS_REENQUEUED.inc(swept.enqueued)


def probe() -> None:
    """Show that beat, broker and worker are all there: the worker's readiness looks for it."""
    metrics.WORKER_PROBE.set_to_current_time()


def probe_bulk() -> None:
    """Show the same of the worker that has bulk jobs alone."""
    probe()


def forget_receipts() -> None:
    """Delete the receipts of idempotency keys that mean nothing anymore."""
    idempotency.forget_receipts()


def forget_budgets() -> None:
    """Delete the rate limits' rows that mean the same without a row."""
    do_forget_whole()


def clear_sessions() -> None:
    """Delete sessions that have expired."""
    call_command("clearsessions")


# What runs how often; beat's schedule and the embedded form's thread are made of it.
SCHEDULE: Mapping[Callable[[], None], timedelta] = {
    probe: timedelta(seconds=30),
    # Idle bulk workers take turns at it, and each is to have one within the exporter's 90 s.
    probe_bulk: timedelta(seconds=10),
    sweep_jobs: timedelta(seconds=5),
    trim_streams: timedelta(minutes=1),
    watch_timeline: timedelta(seconds=30),
    watch_snapshots: timedelta(seconds=15),
    clear_sessions: timedelta(hours=6),
    forget_budgets: timedelta(hours=1),
    forget_receipts: timedelta(minutes=5),
}
