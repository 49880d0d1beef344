"""Threads of a test that use the database, each with a connection of its own that it gives back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.db import connection

__all__ = ["run_together", "submit"]


def submit[**P, R](
    threads: ThreadPoolExecutor, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> Future[R]:
    """Run a call in one of the threads."""

    def with_connection() -> R:
        try:
            return call(*args, **kwargs)
        finally:
            connection.close()

    return threads.submit(with_connection)


def run_together(*calls: Callable[[], Any]) -> list[Any]:
    """Run all calls at once, each in a thread; return their results or raise the first error."""
    with ThreadPoolExecutor(len(calls)) as threads:
        futures = [submit(threads, call) for call in calls]
    return [future.result() for future in futures]
