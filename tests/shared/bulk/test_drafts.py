from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.accounts.models import User
from shared.bulk import drafts
from shared.bulk.actions import (
    do_add_recipients,
    do_cancel_job,
    do_create_job,
    do_edit_draft,
    do_start_job,
)
from shared.bulk.exceptions import (
    EmptyAudience,
    InvalidRequest,
    KeyConflict,
    NotStaff,
    TooManyRecipients,
    UnknownJob,
)
from shared.bulk.models import BulkJob, Recipient
from shared.bulk.states import WrongState
from tests.shared.bulk.conftest import CONTEXT, MakeJob, MakePeople
from tests.team.kinds import PollClosed, Salutation

pytestmark = pytest.mark.django_db

IDS = {"type": "ids"}


def test_same_request_with_one_key_is_one_job(staff: User, draft: MakeJob) -> None:
    """Sent again it gives the same job; another request with the key is refused."""
    request: dict[str, Any] = {
        "kind": PollClosed.key,
        "context": CONTEXT,
        "audience": {"type": "all"},
        "idempotency_key": "k-1",
    }
    first = do_create_job(staff, **request)
    again = do_create_job(staff, **request)
    assert (first.repeated, again.repeated) == (False, True)
    assert first.job == again.job == BulkJob.objects.get()
    with pytest.raises(KeyConflict):
        do_create_job(staff, **request | {"context": {"poll": "Another"}})


def test_keys_are_each_creators_own(staff: User, bob: User, draft: MakeJob) -> None:
    """Two people may use one key for two jobs."""
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    jobs = [
        do_create_job(
            each, kind=PollClosed.key, context=CONTEXT, audience=IDS, idempotency_key="k"
        ).job
        for each in (staff, bob)
    ]
    assert jobs[0] != jobs[1]


@pytest.mark.parametrize("key", ["", "x" * 65, "a\nb", "schlüssel"])
def test_key_that_cannot_be_kept(draft: MakeJob, key: str) -> None:
    """It is refused before anything is stored."""
    with pytest.raises(InvalidRequest) as refused:
        draft(idempotency_key=key)
    assert refused.value.field == "idempotency_key"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "no.such"}, "kind"),
        ({"kind": Salutation.key, "context": {}}, "kind"),
        ({"context": {}}, "context.poll"),
        ({"context": {"poll": " "}}, "context.poll"),
        ({"context": {"poll": "x", "poll_id": 7}}, "context.poll_id"),
        ({"context": {"poll": "x" * 2_001}}, "context.poll"),
        ({"context": {"poll": "a\0b"}}, "context.poll"),
        ({"context": CONTEXT | {"votes": "3"}}, "context.votes"),
        ({"audience": {"type": "those"}}, "audience"),
    ],
)
def test_request_that_cannot_be_taken(draft: MakeJob, changes: dict[str, Any], field: str) -> None:
    """The field at fault is named, and no job is made."""
    with pytest.raises(InvalidRequest) as refused:
        draft(**changes)
    assert refused.value.field == field
    assert not BulkJob.objects.exists()


def test_only_active_staff(alice: User, staff: User, draft: MakeJob) -> None:
    """Whether somebody is staff is asked at each call, not when they signed in."""
    job = draft()
    User.objects.filter(pk=staff.pk).update(is_active=False)
    for actor in (alice, staff):
        with pytest.raises(NotStaff):
            do_start_job(actor, job.pk)
        with pytest.raises(NotStaff):
            do_add_recipients(actor, job, [1])


def test_text_comes_later(staff: User, alice: User, draft: MakeJob) -> None:
    """A draft without a kind is not started before it has one."""
    job = draft(kind="", context={})
    with pytest.raises(InvalidRequest):
        do_start_job(staff, job.pk)
    do_edit_draft(staff, job.pk, kind=PollClosed.key, context=CONTEXT)
    assert do_start_job(staff, job.pk).state == "planning"
    with pytest.raises(WrongState):
        do_edit_draft(staff, job.pk, kind=PollClosed.key, context=CONTEXT)


class TestListing:
    def test_each_id_has_one_fate(self, staff: User, people: MakePeople, draft: MakeJob) -> None:
        """Added, duplicate or unknown; inactive users and numbers that no id can be are unknown."""
        ids = [user.pk for user in people(5)]
        User.objects.filter(pk=ids[4]).update(is_active=False)
        job = draft(audience=IDS)
        given = [ids[2], ids[0], 0, -1, 2**63, 10**30, ids[0], 999_999_999, ids[4]]
        result = do_add_recipients(staff, job, given)
        assert result == (2, 1, 6, [0, -1, 2**63, 10**30, 999_999_999, ids[4]], 2)
        again = do_add_recipients(staff, job.pk, [ids[1], ids[0]])
        assert again == (1, 1, 0, [], 3)
        job.refresh_from_db()
        assert (job.total, job.unknown, job.duplicates) == (3, 6, 2)
        assert set(Recipient.objects.values_list("user_id", flat=True)) == set(ids[:3])

    def test_across_batches(
        self,
        staff: User,
        people: MakePeople,
        draft: MakeJob,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What stood in an earlier batch is a duplicate, too."""
        monkeypatch.setattr(drafts, "_BATCH_IDS", 10)
        ids = [user.pk for user in people(35)]
        result = do_add_recipients(staff, draft(audience=IDS), iter(ids + ids))
        assert (result.added, result.duplicates, result.unknown) == (35, 35, 0)

    def test_only_so_many_unknown_are_returned(self, staff: User, draft: MakeJob) -> None:
        """All are counted, a hundred are named."""
        result = do_add_recipients(staff, draft(audience=IDS), range(10**6, 10**6 + 300))
        assert result.unknown == 300
        assert result.unknown_ids == list(range(10**6, 10**6 + 100))

    def test_stream_that_breaks_leaves_what_came(
        self,
        staff: User,
        people: MakePeople,
        draft: MakeJob,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Giving all of it again adds what was missing."""
        monkeypatch.setattr(drafts, "_BATCH_IDS", 10)
        ids = [user.pk for user in people(25)]
        job = draft(audience=IDS)

        def broken() -> Iterator[int]:
            yield from ids[:22]
            raise ValueError("line 23 is no number")

        with pytest.raises(ValueError, match="line 23"):
            do_add_recipients(staff, job, broken())
        assert do_add_recipients(staff, job, ids) == (5, 20, 0, [], 25)

    def test_too_many(
        self,
        staff: User,
        people: MakePeople,
        draft: MakeJob,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A job has a size that it takes no more than, over all calls."""
        monkeypatch.setattr(drafts, "MAX_RECIPIENTS", 10)
        ids = [user.pk for user in people(12)]
        job = draft(audience=IDS)
        with pytest.raises(TooManyRecipients, match="at most 10 ids"):
            do_add_recipients(staff, job, ids)
        do_add_recipients(staff, job, ids[:10])
        with pytest.raises(TooManyRecipients):
            do_add_recipients(staff, job, ids[10:])
        job.refresh_from_db()
        assert job.total == Recipient.objects.count() == 10

    def test_not_where_it_makes_no_sense(self, staff: User, alice: User, draft: MakeJob) -> None:
        """Other audiences, started jobs and jobs that do not exist take no recipients."""
        with pytest.raises(InvalidRequest):
            do_add_recipients(staff, draft(), [alice.pk])
        with pytest.raises(UnknownJob):
            do_add_recipients(staff, 999, [alice.pk])
        job = draft(audience=IDS)
        with pytest.raises(EmptyAudience):
            do_start_job(staff, job.pk)
        do_add_recipients(staff, job, [alice.pk])
        do_start_job(staff, job.pk)
        with pytest.raises(WrongState, match="planning: it cannot take recipients"):
            do_add_recipients(staff, job, [alice.pk])

    def test_cancelled_draft_keeps_no_list(self, staff: User, alice: User, draft: MakeJob) -> None:
        """The listed ids go with it."""
        job = draft(audience=IDS)
        do_add_recipients(staff, job, [alice.pk])
        do_cancel_job(staff, job.pk)
        assert not Recipient.objects.exists()
