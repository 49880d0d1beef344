from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.accounts.models import User
from shared.bulk import chunks, planning
from shared.bulk.actions import do_create_job, do_start_job
from shared.bulk.chunking import split
from shared.bulk.models import BulkJob
from shared.bulk.planning import do_plan_page
from shared.bulk.states import JobState
from tests.team.kinds import PollClosed, Touchy

type MakePeople = Callable[..., list[User]]
type MakeJob = Callable[..., BulkJob]

CONTEXT = {"poll": "Tea or coffee", "poll_id": "7"}


@pytest.fixture
def people(db: None) -> MakePeople:
    """Make users, ascending in id, whose names begin with some letters."""

    def make(count: int, prefix: str = "user", **fields: object) -> list[User]:
        rows = [User(username=f"{prefix}{n}", **fields) for n in range(count)]
        return User.objects.bulk_create(rows)

    return make


@pytest.fixture
def draft(staff: User) -> MakeJob:
    """Make a draft that tells everybody of a poll, or as its arguments say."""

    def make(**changes: object) -> BulkJob:
        request: dict[str, object] = {
            "kind": PollClosed.key,
            "context": CONTEXT,
            "audience": {"type": "all"},
        }
        return do_create_job(staff, **request | changes).job  # type: ignore[arg-type]

    return make


@pytest.fixture
def running(staff: User, draft: MakeJob) -> MakeJob:
    """Make a job that is planned and has delivered nothing."""

    def make(**changes: object) -> BulkJob:
        job = do_start_job(staff, draft(**changes).pk)
        while job.state == JobState.PLANNING:
            do_plan_page(job.pk)
            job.refresh_from_db()
        return job

    return make


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan ten recipients at a time, two chunks of five."""
    monkeypatch.setattr(planning, "PAGE_RECIPIENTS", 10)
    monkeypatch.setattr(chunks, "split", lambda user_ids: split(user_ids, 5))


@pytest.fixture
def touchy(monkeypatch: pytest.MonkeyPatch) -> str:
    """Offer the kind that fails for users whose name begins with x; return its key."""
    monkeypatch.setattr(Touchy, "offered", True)
    return Touchy.key
