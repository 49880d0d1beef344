"""Metrics of the web tier."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "AUTH_FAILURES",
    "HTTP_REQUESTS",
    "HTTP_REQUESTS_IN_PROGRESS",
    "HTTP_REQUEST_DURATION",
    "RATE_LIMITED",
    "TOKENS_ISSUED",
    "start_web_at_zero",
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
TOKENS_ISSUED = Counter(
    "carillon_tokens_issued_total", "Tokens that clients asked for by what came of it.", ["result"]
)


def start_web_at_zero(scopes: Sequence[str]) -> None:
    """
    Make the web tier's labelled series exist before their first event, so that rates see it.

    Those of requests have too many routes for that.

    Args:
        scopes: what the limits count separately.
    """
    for method in ("session", "csrf", "key"):
        AUTH_FAILURES.labels(method=method)
    for scope in scopes:
        RATE_LIMITED.labels(scope=scope)
    for result in ("issued", "refused"):
        TOKENS_ISSUED.labels(result=result)
