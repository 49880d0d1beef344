"""
What bulk jobs keep of a person.

A job that staff made is the organisation's: it stays, without its maker. One that code made for
somebody, such as news of their post, tells of them: it ends, and what it said goes.
"""

from __future__ import annotations

from typing import Any

from shared.accounts.models import User
from shared.accounts.personal_data import PersonalData, register
from shared.bulk.erasure import do_forget_user
from shared.bulk.models import BulkJob, SavedFilter

__all__ = ["BulkData"]


@register
class BulkData(PersonalData):
    """The jobs that a user started and the filters they saved."""

    key = "bulk"

    def export(self, user: User) -> Any:
        jobs = BulkJob.objects.filter(created_by=user).order_by("id")
        filters = SavedFilter.objects.filter(created_by=user).order_by("id")
        return {
            "jobs": [
                {
                    "id": job.pk,
                    "kind": job.kind,
                    "context": job.context,
                    "audience": job.audience,
                    "state": job.state,
                    "total": job.total,
                    "created": job.created_at.isoformat(),
                    "started": job.started_at and job.started_at.isoformat(),
                    "finished": job.finished_at and job.finished_at.isoformat(),
                }
                for job in jobs
            ],
            "filters": [{"name": row.name, "criteria": row.criteria} for row in filters],
        }

    def erase(self, user: User) -> None:
        do_forget_user(user)
