"""Bulk jobs: one notification to many people."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Body, Query
from ninja.params.functions import Header
from ninja.responses import Status
from pydantic import Field

from services.web.api.bodies import JSON, BodyRule
from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Id, Input, Page, Storable, Timestamp
from services.web.api.recipients import HINT
from services.web.api.routes import Routes
from services.web.api.sentences import KEY_NAME
from services.web.budgets import Budget
from shared.accounts.keys import Scope
from shared.accounts.models import User
from shared.bulk.access import access_job, access_staff
from shared.bulk.actions import (
    do_cancel_job,
    do_create_job,
    do_pause_job,
    do_resume_job,
    do_retry_job,
    do_start_job,
)
from shared.bulk.models import BulkJob
from shared.bulk.preview import preview_of
from shared.bulk.queries import count_audience, jobs_for, progress_of

__all__ = ["routes"]

routes = Routes("bulk jobs")

_BODY = BodyRule(JSON.types, HINT)
_AUDIENCE = Annotated[
    dict[str, Any],
    Storable,
    Field(
        description="Who is meant: all; ids, which are streamed to the draft; a saved filter; "
        "criteria; or the followers of somebody.",
        examples=[{"type": "all"}],
    ),
]
_KEY: Any = Header(
    None,
    alias="Idempotency-Key",
    min_length=1,
    max_length=64,
    pattern=KEY_NAME,
    description="The caller's own name for the request: sent again, it makes no second job.",
)
_WRITE: dict[str, Any] = {"scope": Scope.BULK_WRITE, "budget": Budget.BULK}


class NewJob(Input):
    kind: Annotated[
        str,
        Storable,
        Field(
            max_length=64,
            description="The key of a kind that GET /kinds lists.",
            examples=["notifications.message"],
        ),
    ]
    context: Annotated[
        dict[str, Any],
        Storable,
        Field(description="The kind's fields.", examples=[{"title": "Hello"}]),
    ]
    audience: _AUDIENCE


class AudienceOnly(Input):
    audience: _AUDIENCE


class Count(Answer):
    count: int = Field(ge=0, description="How many are meant, exactly, at this moment.")


class Progress(Answer):
    """A job as its frames on the WebSocket tell it, too."""

    type: Literal["job"]
    id: Id
    kind: str
    state: Literal["draft", "planning", "running", "paused", "finished", "cancelled"]
    total: int = Field(
        ge=0,
        description="Its recipients. A draft counts those added to it, planning those planned so "
        "far; exact once it is running, and in the answer to a start.",
    )
    done: int = Field(ge=0, description="delivered, muted, gone and failed together.")
    delivered: int = Field(ge=0)
    muted: int = Field(ge=0, description="Who switched its category off.")
    gone: int = Field(ge=0, description="Who was not there, or not active.")
    failed: int = Field(ge=0, description="Whose text could not be made.")
    parked_chunks: int = Field(ge=0, description="Parts that failed five times; retry them.")
    percent: float = Field(ge=0, le=100)
    rate: float | None = Field(description="Recipients per second; null unless it runs.")
    eta_seconds: float | None


class Preview(Answer):
    """The text as the caller would read it, or why it cannot be made."""

    title: str | None
    body: str | None
    url: str | None
    reason: str | None = Field(description="Why there is no text; null when there is one.")


class Job(Progress):
    context: dict[str, Any]
    audience: dict[str, Any]
    preview: Preview
    created: Timestamp
    created_by: str | None
    started: Timestamp | None
    finished: Timestamp | None


class JobList(Answer):
    jobs: list[Job]
    next: Id | None


@routes.get("/bulk-jobs", scope=Scope.BULK_READ, answer=JobList)
def list_jobs(request: ApiRequest, page: Query[Page]) -> JobList:
    """List all jobs, the newest first; only staff may, as with everything about jobs."""
    jobs, following = page.cut(jobs_for(request.user))
    return JobList(jobs=[_told(job, request.user) for job in jobs], next=following)


@routes.post("/bulk-jobs", answers={201: Job, 200: Job}, body=_BODY, conflict=True, **_WRITE)
def create_job(
    request: ApiRequest, body: Body[NewJob], idempotency_key: str | None = _KEY
) -> Status[Job]:
    """
    Create a job as a draft; nothing is sent before it is started.

    200 instead of 201 says that this Idempotency-Key had made it before.
    """
    created = do_create_job(
        request.user,
        kind=body.kind,
        context=body.context,
        audience=body.audience,
        idempotency_key=idempotency_key,
    )
    return Status(200 if created.repeated else 201, _told(created.job, request.user))


@routes.post("/bulk-jobs/count", answers={200: Count}, body=_BODY, **_WRITE)
def count_recipients(request: ApiRequest, body: Body[AudienceOnly]) -> Count:
    """Count an audience and send nothing: a dry run."""
    access_staff(request.user)
    return Count(count=count_audience(body.audience))


@routes.get("/bulk-jobs/{int:job_id}", scope=Scope.BULK_READ, answer=Job)
def read_job(request: ApiRequest, job_id: Id) -> Job:
    """Read one job with its progress."""
    return _told(access_job(request.user, job_id), request.user)


@routes.post("/bulk-jobs/{int:job_id}/start", answers={200: Job}, conflict=True, **_WRITE)
def start_job(request: ApiRequest, job_id: Id) -> Job:
    """Start a draft; refused where its text can be made for nobody."""
    return _told(do_start_job(request.user, job_id), request.user)


@routes.post("/bulk-jobs/{int:job_id}/pause", answers={200: Job}, conflict=True, **_WRITE)
def pause_job(request: ApiRequest, job_id: Id) -> Job:
    """Let a running job rest."""
    return _told(do_pause_job(request.user, job_id), request.user)


@routes.post("/bulk-jobs/{int:job_id}/resume", answers={200: Job}, conflict=True, **_WRITE)
def resume_job(request: ApiRequest, job_id: Id) -> Job:
    """Let a paused job go on."""
    return _told(do_resume_job(request.user, job_id), request.user)


@routes.post("/bulk-jobs/{int:job_id}/cancel", answers={200: Job}, conflict=True, **_WRITE)
def cancel_job(request: ApiRequest, job_id: Id) -> Job:
    """End a job; what is delivered stays, the rest never is."""
    return _told(do_cancel_job(request.user, job_id), request.user)


@routes.post("/bulk-jobs/{int:job_id}/retry", answers={200: Job}, conflict=True, **_WRITE)
def retry_job(request: ApiRequest, job_id: Id) -> Job:
    """Try again whom a finished job could not tell."""
    return _told(do_retry_job(request.user, job_id), request.user)


def _told(job: BulkJob, reader: User) -> Job:
    progress = progress_of(job)
    text, reason = preview_of(job, reader)
    author = job.created_by
    return Job(
        type="job",
        id=job.pk,
        kind=job.kind,
        **{**progress._asdict(), "state": progress.state.value},
        context=job.context,
        audience=job.audience,
        preview=Preview(
            title=text and text.title,
            body=text and text.body,
            url=text and text.url,
            reason=reason or None,
        ),
        created=job.created_at,
        created_by=None if author is None else author.username,
        started=job.started_at,
        finished=job.finished_at,
    )
