"""Metrics of the web tier."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "AUTH_FAILURES",
    "HTTP_REQUESTS",
    "HTTP_REQUESTS_IN_PROGRESS",
    "HTTP_REQUEST_DURATION",
    "RATE_LIMITED",
]

HTTP_REQUESTS = Counter(
    "carillon_http_requests_total", "Answered requests.", ["method", "route", "status"]
)
HTTP_REQUEST_DURATION = Histogram(
    "carillon_http_request_duration_seconds", "Time to answer.", ["method", "route"]
)
HTTP_REQUESTS_IN_PROGRESS = Gauge(
    "carillon_http_requests_in_progress", "Requests being answered.", multiprocess_mode="livesum"
)
AUTH_FAILURES = Counter(
    "carillon_auth_failures_total", "API requests that did not say who asks.", ["method"]
)
RATE_LIMITED = Counter(
    "carillon_rate_limited_total", "API writes refused because there were too many.", ["scope"]
)
