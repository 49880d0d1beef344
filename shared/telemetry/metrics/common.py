"""Metrics of every service: the build, publishing, the broker, what became of notifications."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "BROKER_PUBLISH_DURATION",
    "BROKER_PUBLISH_ERRORS",
    "BUILD_INFO",
    "DEADLOCK_RETRIES",
    "NOTIFICATIONS_CREATED",
    "PUBLISHES",
    "PUBLISH_DURATION",
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
DEADLOCK_RETRIES = Counter(
    "carillon_deadlock_retries_total", "Transactions repeated because they lost a deadlock."
)

NOTIFICATIONS_CREATED = Counter(
    "carillon_notifications_created_total",
    "Recipients of notifications by what became of them.",
    ["result"],
)
