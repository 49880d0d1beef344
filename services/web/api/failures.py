"""Who of a bulk job could not be told."""

from __future__ import annotations

from ninja import Query
from pydantic import Field

from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Id, Page
from services.web.api.routes import Routes
from shared.accounts.keys import Scope
from shared.bulk.access import access_job
from shared.bulk.queries import failures_of

__all__ = ["routes"]

routes = Routes("bulk jobs")


class FailureData(Answer):
    id: Id
    user_id: int
    reason: str = Field(description="Why the text could not be made for them.")


class FailureList(Answer):
    failures: list[FailureData]
    next: Id | None


@routes.get("/bulk-jobs/{int:job_id}/failures", scope=Scope.BULK_READ, answer=FailureList)
def list_failures(request: ApiRequest, job_id: Id, page: Query[Page]) -> FailureList:
    """List whom a job could not tell and why, the newest first; a retry empties the list."""
    found, following = page.cut(failures_of(access_job(request.user, job_id)))
    rows = [FailureData(id=row.pk, user_id=row.user_id, reason=row.reason) for row in found]
    return FailureList(failures=rows, next=following)
