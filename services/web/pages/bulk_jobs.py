"""The list of bulk jobs, and making one."""

from __future__ import annotations

from typing import NamedTuple

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from services.web.job_form import UPLOAD_BYTES, JobForm
from services.web.job_words import job_title, state_words, trouble_of
from services.web.pages.keyset import before_of, cut
from services.web.requests import SignedInRequest, staff_only, takes_files
from shared.accounts.models import User
from shared.bulk.actions import do_add_recipients, do_create_job
from shared.bulk.exceptions import BulkError, InvalidRequest, NotStaff
from shared.bulk.models import BulkJob
from shared.bulk.queries import Progress, jobs_for, progress_of

__all__ = ["bulk_jobs"]

_JOBS_PER_PAGE = 25
# Around the file; nginx takes no more for this address either.
_FORM_BYTES = 1024 * 1024


class _Row(NamedTuple):
    """A job as the list shows it."""

    job: BulkJob
    progress: Progress
    title: str
    state: str
    trouble: str


@takes_files(UPLOAD_BYTES + _FORM_BYTES)
@staff_only
@require_http_methods(["GET", "HEAD", "POST"])
def bulk_jobs(request: SignedInRequest) -> HttpResponse:
    """The jobs, newest first, `?before=` an id; and the form to draft another."""
    form = JobForm(request.POST, request.FILES) if request.method == "POST" else JobForm()
    if request.method == "POST" and form.is_valid():
        try:
            job = _draft(request, form)
        except NotStaff as error:
            raise PermissionDenied from error
        except InvalidRequest as error:
            form.add_error(form.place_of(error.field), error.sentence)
        except BulkError as error:
            form.add_error(None, str(error))
        else:
            return redirect("bulk-job", job.pk)
    before = before_of(request)
    jobs = jobs_for(request.user)
    if before is not None:
        jobs = jobs.filter(pk__lt=before)
    page, more = cut(list(jobs[: _JOBS_PER_PAGE + 1]), _JOBS_PER_PAGE)
    context = {
        "form": form,
        "jobs": [_row(job, request.user) for job in page],
        "older": page[-1].pk if more else None,
        "newest": before is None,
    }
    return render(request, "web/bulk_jobs.html", context, status=400 if form.errors else 200)


def _row(job: BulkJob, reader: User) -> _Row:
    progress = progress_of(job)
    words = state_words(progress)
    return _Row(job, progress, job_title(job, reader), words, trouble_of(progress))


def _draft(request: SignedInRequest, form: JobForm) -> BulkJob:
    # Both or neither: a draft with half of its recipients would look like a whole one.
    with transaction.atomic():
        created = do_create_job(
            request.user,
            kind=form.chosen_kind,
            context=form.chosen_context,
            audience=form.chosen_audience,
            idempotency_key=form.cleaned_data["key"],
        )
        if form.has_list and not created.repeated:
            do_add_recipients(request.user, created.job, form.listed_ids())
    return created.job
