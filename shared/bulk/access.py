"""Who may work with jobs: staff, all of them with all jobs. The one place that decides it."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser

from shared.accounts.models import User
from shared.bulk.exceptions import NotStaff, UnknownFilter, UnknownJob
from shared.bulk.models import BulkJob, SavedFilter

__all__ = ["access_filter", "access_job", "access_staff", "locked_job"]


def access_staff(actor: AbstractUser) -> None:
    """
    Make sure that somebody is active staff, asked of the database at this moment.

    Raises:
        NotStaff: they are not, or not any more.
    """
    if not User.objects.filter(pk=actor.pk, is_active=True, is_staff=True).exists():
        raise NotStaff


def access_job(actor: AbstractUser, job_id: int) -> BulkJob:
    """
    Return a job for somebody who may see it.

    Raises:
        NotStaff: the actor may see none.
        UnknownJob: there is none of this id.
    """
    access_staff(actor)
    job = BulkJob.objects.select_related("created_by").filter(pk=job_id).first()
    if job is None:
        raise UnknownJob
    return job


def access_filter(actor: AbstractUser, filter_id: int) -> SavedFilter:
    """
    Return a saved filter for somebody who may use it.

    Raises:
        NotStaff: the actor may use none.
        UnknownFilter: there is none of this id.
    """
    access_staff(actor)
    found = SavedFilter.objects.filter(pk=filter_id).first()
    if found is None:
        raise UnknownFilter
    return found


def locked_job(job_id: int) -> BulkJob | None:
    """Lock a job's row until the transaction ends; rows that refer to it may still be written."""
    return BulkJob.objects.select_for_update(no_key=True).filter(pk=job_id).first()
