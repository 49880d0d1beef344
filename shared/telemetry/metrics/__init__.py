"""
Every metric of every service, by subsystem: `from shared.telemetry import metrics` has them all.

Names have the prefix `carillon_`, base units and `_total` on counters. Labels come from closed
sets: `kind` is a registered namespace's name, `code`, `reason`, `result`, `state` and `type` are
values of enums. Never a user, a channel or an address. In forking services (gunicorn, Celery)
each gauge's multiprocess mode says how the processes' values become one.
"""

# All names of all four, each of which lists them in its `__all__`.
from shared.telemetry.metrics.common import *  # noqa: F403
from shared.telemetry.metrics.gateway import *  # noqa: F403
from shared.telemetry.metrics.web import *  # noqa: F403
from shared.telemetry.metrics.worker import *  # noqa: F403
