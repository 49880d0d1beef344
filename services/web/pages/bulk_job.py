"""One bulk job: a draft to look at and to start, then how far it is, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import messages
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from services.web.audience_words import audience_words
from services.web.job_form import MessageForm
from services.web.job_words import job_title, kind_words, state_words, trouble_of
from services.web.requests import SignedInRequest, staff_only
from services.web.templatetags.amounts import per_second, time_left
from shared.accounts.models import User
from shared.bulk.access import access_job
from shared.bulk.actions import (
    do_cancel_job,
    do_edit_draft,
    do_pause_job,
    do_resume_job,
    do_retry_job,
    do_start_job,
)
from shared.bulk.audiences import parse_audience
from shared.bulk.content import offered_kind
from shared.bulk.exceptions import BulkError, NotStaff, UnknownJob, Unspeakable
from shared.bulk.models import BulkJob
from shared.bulk.preview import check_speakable, preview_of
from shared.bulk.queries import Progress, as_data, failures_of, parked_chunks_of, progress_of
from shared.bulk.states import JobState, Transition, WrongState, next_state

__all__ = ["bulk_job"]

_ROWS_SHOWN = 100


class Button(NamedTuple):
    """Something that a job's state allows."""

    action: str
    label: str
    primary: bool = False


class _Step(NamedTuple):
    do: Callable[[User, int], BulkJob]
    said: str


_STEPS: dict[str, _Step] = {
    Transition.PAUSE: _Step(do_pause_job, "The job is paused. What is done stays done."),
    Transition.RESUME: _Step(do_resume_job, "The job goes on."),
    Transition.CANCEL: _Step(do_cancel_job, "The job is cancelled."),
    Transition.RETRY: _Step(do_retry_job, "Whatever failed is tried again."),
}


@staff_only
@require_http_methods(["GET", "HEAD", "POST"])
def bulk_job(request: SignedInRequest, job_id: int) -> HttpResponse:
    """The job's page; a POST with an `action` changes the job."""
    try:
        job = access_job(request.user, job_id)
    except UnknownJob as error:
        raise Http404(str(error)) from error
    if request.method != "POST":
        return _page(request, job, MessageForm.of(job))
    action = request.POST.get("action", "")
    if action not in {*_STEPS, "save", "start"}:
        raise SuspiciousOperation("The form names no action of a job.")
    form = None if action in _STEPS else MessageForm(request.POST)
    try:
        if form is None:
            step = _STEPS[action]
            step.do(request.user, job.pk)
            messages.success(request, step.said)
        elif not form.is_valid():
            return _page(request, job, form, status=400)
        elif action == "save" or (job.kind, job.context) != (form.chosen_kind, form.chosen_context):
            do_edit_draft(request.user, job.pk, kind=form.chosen_kind, context=form.chosen_context)
            if action == "start":
                # Nothing is sent that nobody has looked at.
                words = "The text was changed: look at it below, then send it."
                messages.warning(request, words)
        else:
            do_start_job(request.user, job.pk)
            messages.success(request, "The job has begun.")
    except NotStaff as error:
        raise PermissionDenied from error
    except BulkError as error:
        # Often somebody else was quicker: the page shows how the job stands now.
        messages.error(request, str(error))
    return redirect("bulk-job", job.pk)


def _page(
    request: SignedInRequest, job: BulkJob, form: MessageForm, status: int = 200
) -> HttpResponse:
    state = JobState(job.state)
    progress = progress_of(job)
    failures = failures_of(job)
    found = list(failures[:_ROWS_SHOWN])
    names = dict(
        User.objects.filter(pk__in=[failure.user_id for failure in found]).values_list(
            "pk", "username"
        )
    )
    draft = state is JobState.DRAFT
    context: dict[str, Any] = {
        "job": job,
        "job_data": as_data(job, progress),
        "draft": draft,
        "form": form,
        "progress": progress,
        "percent": int(progress.percent if state.is_final else min(progress.percent, 99)),
        "pace": _pace(state, progress),
        "buttons": _buttons(state, progress),
        "may_cancel": _allows(state, Transition.CANCEL),
        "audience": audience_words(job),
        "parked": parked_chunks_of(job)[:_ROWS_SHOWN] if progress.parked_chunks else [],
        "parked_total": progress.parked_chunks,
        "failures": [(failure, names.get(failure.user_id)) for failure in found],
        "failures_total": failures.count(),
        # What the page's script compares: a part with the same version need not be drawn anew.
        "version": f"{state}-{progress.failed}-{progress.parked_chunks}",
        "title": job_title(job, request.user),
        "kind": kind_words(job),
        "state": state_words(progress),
        "trouble": trouble_of(progress),
    }
    if job.kind:
        text, reason = preview_of(job, request.user)
        context |= {"preview": text, "preview_error": reason}
    if draft:
        context |= _dry_run(job)
    return render(request, "web/bulk_job.html", context, status=status)


def _buttons(state: JobState, progress: Progress) -> list[Button]:
    offered = [
        (Transition.PAUSE, Button(Transition.PAUSE, "Pause")),
        (Transition.RESUME, Button(Transition.RESUME, "Resume", primary=True)),
    ]
    if progress.failed or progress.parked_chunks:
        offered.append((Transition.RETRY, Button(Transition.RETRY, "Try the failed ones again")))
    return [button for transition, button in offered if _allows(state, transition)]


def _allows(state: JobState, transition: Transition) -> bool:
    try:
        next_state(state, transition)
    except WrongState:
        return False
    return True


def _pace(state: JobState, progress: Progress) -> str:
    if not state.is_moving:
        return ""
    words = (per_second(progress.rate), time_left(progress.eta_seconds))
    return " · ".join(filter(None, words))


def _dry_run(job: BulkJob) -> dict[str, Any]:
    """Say how many would get it, and what stands in the way of sending it."""
    obstacle = ""
    recipients = 0
    try:
        recipients = parse_audience(job.audience, stored=True).count(job.pk)
        if job.kind:
            check_speakable(offered_kind(job.kind), job.context)
    except Unspeakable as error:
        obstacle = f"Nobody could be told this: {error.reason} Change the text above and save it."
        # The same once more says nothing.
        return {"recipients": recipients, "obstacle": obstacle, "preview_error": ""}
    except BulkError as error:
        obstacle = str(error)
    if not job.kind:
        obstacle = "There is no text yet: fill it in above and save it."
    elif not recipients:
        obstacle = obstacle or "Nobody is meant: make a new job for other people."
    return {"recipients": recipients, "obstacle": obstacle}
