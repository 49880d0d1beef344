"""Celery tasks: each loads nothing, calls one piece of work and may run twice without harm."""

from __future__ import annotations

from services.worker import maintenance
from shared.bulk import lanes, outbox
from shared.celery import app

__all__ = ["NAMES"]

# Tasks are named by producers, not imported: these names are their address.
NAMES = {call: f"worker.{call.__name__}" for call in maintenance.SCHEDULE}
# The queue follows from the name: what begins with `bulk.` is for the bulk worker.
NAMES[maintenance.probe_bulk] = "bulk.probe"

for _call, _name in NAMES.items():
    app.task(name=_name)(_call)


@app.task(name=outbox.DRAIN)
def drain(job_id: int, token: str = "") -> None:
    """Work on a bulk job for some seconds."""
    lanes.drain(job_id, token)
