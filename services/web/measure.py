"""Counts and times requests, by route and never by path."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from shared.telemetry import metrics

__all__ = ["RequestMetrics"]

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestMetrics:
    """The outermost middleware: its time is the whole answer's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.monotonic()
        with metrics.HTTP_REQUESTS_IN_PROGRESS.track_inprogress():
            response = self._get_response(request)
        match = request.resolver_match
        # A path that leads nowhere is anybody's invention: all of them are one route.
        route = "/" + match.route if match is not None else "unknown"
        method = request.method if request.method in _METHODS else "other"
        metrics.HTTP_REQUESTS.labels(method, route, str(response.status_code)).inc()
        metrics.HTTP_REQUEST_DURATION.labels(method, route).observe(time.monotonic() - started)
        return response
