"""Beat's schedule; in code, so that a deployment's schedule is its version's."""

from __future__ import annotations

from typing import Any

from services.worker.maintenance import SCHEDULE
from services.worker.tasks import NAMES

__all__ = ["BEAT_SCHEDULE"]

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    NAMES[call]: {
        "task": NAMES[call],
        "schedule": period,
        # A round that waited longer than its period is not worth running beside the next.
        "options": {"expires": period.total_seconds()},
    }
    for call, period in SCHEDULE.items()
}
