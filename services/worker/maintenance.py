"""Housekeeping of the log and the sessions, each a plain call that may be repeated at any time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from django.core.management import call_command

from shared.realtime import deployment, retention
from shared.telemetry import metrics

__all__ = ["SCHEDULE", "clear_sessions", "probe", "trim_streams", "watch_timeline"]


def trim_streams() -> None:
    """Cut every stream to its namespace's size and age."""
    for kind, removed in retention.trim().items():
        metrics.STREAMS_TRIMMED.labels(kind=kind).inc(removed)


def watch_timeline() -> None:
    """Begin a new incarnation when PostgreSQL has failed over, even while no gateway runs."""
    deployment.renew_after_failover()


def probe() -> None:
    """Show that beat, broker and worker are all there: the worker's readiness looks for it."""
    metrics.WORKER_PROBE.set_to_current_time()


def clear_sessions() -> None:
    """Delete sessions that have expired."""
    call_command("clearsessions")


# What runs how often; beat's schedule and the embedded form's thread are made of it.
SCHEDULE: Mapping[Callable[[], None], timedelta] = {
    probe: timedelta(seconds=30),
    trim_streams: timedelta(minutes=1),
    watch_timeline: timedelta(seconds=30),
    clear_sessions: timedelta(hours=6),
}
