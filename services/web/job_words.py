"""How a bulk job is called and how it stands, in words for staff."""

from __future__ import annotations

from django.utils.text import capfirst

from services.web.templatetags.amounts import grouped
from shared.accounts.models import User
from shared.bulk.content import label_of
from shared.bulk.models import BulkJob
from shared.bulk.preview import preview_of
from shared.bulk.queries import Progress
from shared.bulk.states import JobState
from shared.notifications.exceptions import UnknownKind
from shared.notifications.kinds import kind_named

__all__ = ["job_title", "kind_words", "state_words", "trouble_of"]


def job_title(job: BulkJob, reader: User) -> str:
    """Return what a job's notification is titled, or what it would be one of."""
    text = preview_of(job, reader).text
    return text.title if text else kind_words(job) or "No text yet"


def kind_words(job: BulkJob) -> str:
    """Return how staff call a job's kind; its key when it has gone, empty without one."""
    try:
        return label_of(kind_named(job.kind)) if job.kind else ""
    except UnknownKind:
        return job.kind


def state_words(progress: Progress) -> str:
    """Return such as "Finished, 3 failed"; `frontend/src/progress.ts` agrees."""
    failed = _not_told(progress)
    words = str(capfirst(progress.state.value))
    return f"{words}, {grouped(failed)} failed" if failed else words


def trouble_of(progress: Progress) -> str:
    """Return "all" where nobody could be told, "some" where a part could not; else empty."""
    failed = _not_told(progress)
    if not failed:
        return ""
    return "all" if failed == progress.total else "some"


def _not_told(progress: Progress) -> int:
    # Whoever is left at the end is in a parked chunk.
    parked = progress.outstanding if progress.state is JobState.FINISHED else 0
    return progress.failed + parked
