from __future__ import annotations

from typing import Any

import pytest

from shared.accounts.models import User
from shared.bulk.actions import do_start_job
from shared.bulk.content import label_of
from shared.bulk.exceptions import InvalidRequest, Unspeakable
from shared.bulk.models import BulkJob
from shared.bulk.preview import preview_of
from shared.notifications.kinds import Kind
from shared.notifications.staff_kinds import StaffMessage
from tests.shared.bulk.conftest import CONTEXT, MakeJob
from tests.team.kinds import PollClosed, Salutation

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kind", "context"),
    [
        (StaffMessage.key, {"title": "Hello", "url": "javascript:1"}),
        (StaffMessage.key, {"title": "Hello", "url": "nowhere"}),
        (PollClosed.key, {"poll": "x", "poll_id": "a b"}),
    ],
)
def test_text_that_nobody_could_get_is_not_started(
    staff: User, draft: MakeJob, kind: str, context: dict[str, Any]
) -> None:
    """The refusal says why, and the job stays a draft."""
    job = draft(kind=kind, context=context)
    with pytest.raises(Unspeakable, match="neither a path") as refused:
        do_start_job(staff, job.pk)
    assert preview_of(job, staff) == (None, refused.value.reason)
    assert BulkJob.objects.get().state == "draft"


def test_text_that_some_could_get_is_started(staff: User, draft: MakeJob, touchy: str) -> None:
    """What depends on its recipient is judged for each of them, by the workers."""
    User.objects.create(username="x")
    job = draft(kind=touchy, context={})
    assert do_start_job(staff, job.pk).state == "planning"


def test_kind_that_raises_on_its_own(
    staff: User, draft: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is, it is told as what it is, and looking at the job does not fail."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("votes")

    job = draft()
    monkeypatch.setattr(PollClosed, "render", fail)
    with pytest.raises(Unspeakable, match="ZeroDivisionError: votes"):
        do_start_job(staff, job.pk)
    assert preview_of(job, staff) == (None, "ZeroDivisionError: votes")


def test_preview_is_for_its_reader(staff: User, alice: User, draft: MakeJob) -> None:
    """As they would get it; without a kind, or with one that has gone, it says so."""
    job = draft()
    job.kind = Salutation.key
    assert [preview_of(job, each).text.title for each in (staff, alice)] == [
        "Hello root",
        "Hello alice",
    ]
    for kind, word in (("", "no text yet"), ("no.such", "'no.such'")):
        job.kind = kind
        text, reason = preview_of(job, staff)
        assert text is None
        assert word in reason


def test_start_answers_how_many_are_meant(staff: User, alice: User, draft: MakeJob) -> None:
    """The row counts those that are planned."""
    job = draft()
    assert do_start_job(staff, job.pk).total == 2
    assert BulkJob.objects.get().total == 0


def test_offered_kinds_are_named(draft: MakeJob) -> None:
    """Where one is not there, and where one is not offered."""
    for kind in ("nope", Salutation.key):
        with pytest.raises(InvalidRequest) as refused:
            draft(kind=kind, context=CONTEXT)
        assert "Use one of these: notifications.message, polls.closed." in refused.value.sentence


def test_kinds_of_one_category_look_different() -> None:
    """By their own label, or by their key."""

    class Opened(Kind):
        key = "polls.opened"
        category = PollClosed.category

    assert label_of(Opened) == "Polls (polls.opened)"
    Opened.label = "A poll opens"
    assert label_of(Opened) == "A poll opens"
