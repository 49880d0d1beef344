"""Celery tasks: each loads nothing, calls one piece of work and may run twice without harm."""

from __future__ import annotations

from services.worker import maintenance
from shared.celery import app

__all__ = ["NAMES"]

# Tasks are named by producers, not imported: these names are their address.
NAMES = {call: f"worker.{call.__name__}" for call in maintenance.SCHEDULE}

for _call, _name in NAMES.items():
    app.task(name=_name)(_call)
