"""Metrics of every service: the build, publishing, the broker, what became of notifications."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "BROKER_PUBLISH_DURATION",
    "BROKER_PUBLISH_ERRORS",
    "BROKER_PUBLISH_REASONS",
    "BUILD_INFO",
    "DB_OLDEST_SNAPSHOT_AGE",
    "DB_POOL_CONNECTIONS",
    "DB_POOL_CONNECTIONS_LIMIT",
    "DB_POOL_REQUESTS_WAITING",
    "DB_POOL_TIMEOUTS",
    "DEADLOCK_RETRIES",
    "NOTIFICATIONS_CREATED",
    "PUBLISHES",
    "PUBLISH_DURATION",
    "start_common_at_zero",
]

BUILD_INFO = Gauge(
    "carillon_build_info",
    "Always 1; the labels say which build runs as which service.",
    ["version", "revision", "python", "service"],
    multiprocess_mode="livemostrecent",
)
PUBLISHES = Counter("carillon_publishes_total", "Publications by outcome.", ["kind", "result"])
PUBLISH_DURATION = Histogram(
    "carillon_publish_duration_seconds",
    "From the call of publish to the committed transaction.",
    ["kind"],
)
BROKER_PUBLISH_DURATION = Histogram(
    "carillon_broker_publish_duration_seconds",
    "From handing a bell to RabbitMQ to its confirm.",
    ["service"],
)
BROKER_PUBLISH_ERRORS = Counter(
    "carillon_broker_publish_errors_total",
    "Publications whose bell did not go out, which the head check delivers; tasks not sent.",
    ["service", "reason"],
)
# Those of `shared.broker.sender.Failure`, and `task` for a task that was not sent.
BROKER_PUBLISH_REASONS = (
    *("nacked", "timeout", "connection", "queue_full", "breaker_open"),
    "task",
)
DEADLOCK_RETRIES = Counter(
    "carillon_deadlock_retries_total", "Transactions repeated because they lost a deadlock."
)

NOTIFICATIONS_CREATED = Counter(
    "carillon_notifications_created_total",
    "Recipients of notifications by what became of them.",
    ["result"],
)

# -- the database, as the processes of a service meet it --

DB_POOL_CONNECTIONS = Gauge(
    "carillon_db_pool_connections",
    "Connections to PostgreSQL that the pools hold, those that a query has and those that wait.",
    ["state"],
    multiprocess_mode="livesum",
)
DB_POOL_CONNECTIONS_LIMIT = Gauge(
    "carillon_db_pool_connections_limit",
    "How many connections to PostgreSQL the pools may hold; 0 where there is no pool.",
    multiprocess_mode="livesum",
)
DB_POOL_REQUESTS_WAITING = Gauge(
    "carillon_db_pool_requests_waiting",
    "Threads that wait for a connection of their pool.",
    multiprocess_mode="livesum",
)
DB_POOL_TIMEOUTS = Counter(
    "carillon_db_pool_timeouts_total",
    "Threads that waited for a connection of their pool in vain.",
)
# Measured by whichever worker process has the round; see FANOUT_JOBS.
DB_OLDEST_SNAPSHOT_AGE = Gauge(
    "carillon_db_oldest_snapshot_age_seconds",
    "For how long the oldest transaction has kept PostgreSQL from removing dead rows.",
    multiprocess_mode="mostrecent",
)


def start_common_at_zero(service: str, kinds: Sequence[str]) -> None:
    """Make the labelled series of every service exist before their first event."""
    for kind in kinds:
        PUBLISHES.labels(kind=kind, result="committed")
    for reason in BROKER_PUBLISH_REASONS:
        BROKER_PUBLISH_ERRORS.labels(service=service, reason=reason)
    for result in ("delivered", "muted", "gone", "failed"):
        NOTIFICATIONS_CREATED.labels(result=result)
