"""Which build runs: one metric, set once by each service's entry point."""

from __future__ import annotations

import platform

from shared.settings import env
from shared.telemetry import metrics

__all__ = ["VERSION", "announce"]

VERSION = "0.1.0"


def announce(service: str) -> None:
    """Tell the version, the revision (`CARILLON_REVISION`) and the Python of this process."""
    metrics.BUILD_INFO.labels(
        version=VERSION,
        revision=env.text("CARILLON_REVISION", "unknown"),
        python=platform.python_version(),
        service=service,
    ).set(1)
