from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from shared.accounts.models import Follow, User
from shared.accounts.personal_data import export_of
from shared.broker.wire import Published
from shared.bulk import delivering
from shared.bulk.actions import (
    do_add_recipients,
    do_cancel_job,
    do_fan_out,
    do_pause_job,
    do_resume_job,
    do_retry_job,
    do_start_job,
)
from shared.bulk.audiences import Followers
from shared.bulk.delivering import do_deliver_chunk
from shared.bulk.exceptions import InvalidRequest, NothingToRetry
from shared.bulk.lanes import drain
from shared.bulk.models import BulkJob, Chunk, Failure, Recipient
from shared.bulk.personal_data import BulkData
from shared.bulk.planning import do_plan_page
from shared.bulk.queries import Progress, count_audience, progress_of
from shared.bulk.states import ChunkState, JobState, WrongState
from shared.notifications.models import Notification, Preference
from shared.realtime.history import history
from tests.shared.bulk.conftest import CONTEXT, MakeJob, MakePeople
from tests.team.kinds import PollClosed, Salutation

pytestmark = pytest.mark.django_db


def progress(job: BulkJob) -> Progress:
    """Return how far it is; whatever happened, everybody has one outcome or is outstanding."""
    found = progress_of(BulkJob.objects.get(pk=job.pk))
    chunks = Chunk.objects.filter(job=job)
    assert found.total == sum(chunks.values_list("size", flat=True))
    ids = [user_id for each in chunks.values_list("user_ids", flat=True) for user_id in each]
    assert len(ids) == len(set(ids)) == found.total
    assert 0 <= found.done <= found.total
    assert found.failed == Failure.objects.filter(job=job).count()
    return found


def frames(user: User) -> list[dict[str, Any]]:
    """Return the job frames that the user's channel has carried."""
    found = [json.loads(each.data) for each in history(f"user:{user.pk}").publications]
    return [frame for frame in found if frame["type"] == "job"]


def assert_never_falls(user: User) -> None:
    done = [frame["done"] for frame in frames(user)]
    assert done == sorted(done)


@pytest.mark.usefixtures("small_chunks")
class TestWholeJob:
    def test_everybody_is_told_once(self, staff: User, people: MakePeople, draft: MakeJob) -> None:
        """A dry run counts, the job serves exactly those, and running it again serves nobody."""
        people(23)
        count = count_audience({"type": "all"})
        job = do_start_job(staff, draft().pk)
        assert not drain(job.pk)
        found = progress(job)
        assert found.state == JobState.FINISHED
        assert count == found.total == found.delivered == Notification.objects.count() == 24
        assert (found.percent, found.rate, found.eta_seconds) == (100.0, None, None)
        assert Notification.objects.values("user").distinct().count() == 24
        drain(job.pk)
        assert Notification.objects.count() == 24

    def test_frames_rise_and_end_at_the_end(
        self, staff: User, people: MakePeople, draft: MakeJob
    ) -> None:
        """The starter hears each state in its turn; the last frame has all of it."""
        people(23)
        drain(do_start_job(staff, draft().pk).pk)
        heard = frames(staff)
        assert [frame["state"] for frame in heard] == ["planning", "running", "finished"]
        assert_never_falls(staff)
        last = heard[-1]
        assert (last["done"], last["total"], last["percent"]) == (24, 24, 100.0)
        assert last["eta_seconds"] is None

    def test_one_bell_for_a_chunk(
        self,
        staff: User,
        people: MakePeople,
        running: MakeJob,
        rings: list[list[Published]],
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        """However many its recipients are, a chunk rings once."""
        people(4)
        job = running()
        rings.clear()
        with django_capture_on_commit_callbacks(execute=True):
            do_deliver_chunk(job)
        assert [len(ring) for ring in rings] == [5]

    def test_outcomes(self, staff: User, people: MakePeople, running: MakeJob, touchy: str) -> None:
        """Muted, gone and failed recipients are counted as that, and the rest is delivered."""
        muted, gone, deleted, *_ = people(10)
        (failing,) = people(1, prefix="x")
        Preference.objects.create(user=muted, category="polls", enabled=False)
        job = running(kind=touchy, context={})
        User.objects.filter(pk=gone.pk).update(is_active=False)
        deleted.delete()
        drain(job.pk)
        found = progress(job)
        assert found[:7] == (JobState.FINISHED, 12, 12, 8, 1, 2, 1)
        failure = Failure.objects.get()
        assert (failure.user_id, failure.reason) == (failing.pk, "x0 is not dear.")

    def test_listed_recipients_end_in_chunks(
        self, staff: User, people: MakePeople, draft: MakeJob
    ) -> None:
        """A list's rows are there until they are planned, and not longer."""
        users = people(12)
        job = draft(audience={"type": "ids"})
        do_add_recipients(staff, job, [user.pk for user in reversed(users)])
        do_start_job(staff, job.pk)
        do_plan_page(job.pk)
        assert Recipient.objects.count() == 2
        drain(job.pk)
        assert progress(job).delivered == 12
        assert not Recipient.objects.exists()

    def test_planning_goes_on_where_it_was_killed(
        self,
        staff: User,
        people: MakePeople,
        draft: MakeJob,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A page is planned whole or not at all; the next worker plans the rest."""
        people(35)
        job = do_start_job(staff, draft().pk)
        do_plan_page(job.pk)

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("shared.bulk.planning.tell", killed)
            patch.setattr("shared.bulk.planning.is_due", lambda job: True)
            with pytest.raises(KeyboardInterrupt):
                do_plan_page(job.pk)
        assert progress(job).total == 10
        drain(job.pk)
        assert progress(job).delivered == 36
        numbers = Chunk.objects.filter(job=job).values_list("number", flat=True)
        assert sorted(numbers) == list(range(1, len(numbers) + 1))

    def test_pause_resume(self, staff: User, people: MakePeople, running: MakeJob) -> None:
        """A paused job delivers nothing; a chunk that was in hand counts; then it goes on."""
        people(14)
        job = running()
        do_deliver_chunk(job)
        do_pause_job(staff, job.pk)
        assert frames(staff)[-1]["state"] == "paused"
        drain(job.pk)
        assert progress(job).done == 5
        # Claimed just before the pause, committed after it.
        do_deliver_chunk(job)
        assert progress(job).done == 10
        do_resume_job(staff, job.pk)
        drain(job.pk)
        assert progress(job).percent == 100.0
        assert_never_falls(staff)

    def test_cancel(self, staff: User, people: MakePeople, running: MakeJob) -> None:
        """What is delivered stays, the rest is outstanding for ever."""
        people(14)
        job = running()
        do_deliver_chunk(job)
        do_cancel_job(staff, job.pk)
        drain(job.pk)
        found = progress(job)
        assert (found.state, found.done, found.outstanding) == (JobState.CANCELLED, 5, 10)
        with pytest.raises(WrongState):
            do_resume_job(staff, job.pk)

    def test_cancel_while_planning(self, staff: User, people: MakePeople, draft: MakeJob) -> None:
        """Planning stops at the next page."""
        people(35)
        job = do_start_job(staff, draft().pk)
        do_plan_page(job.pk)
        do_cancel_job(staff, job.pk)
        drain(job.pk)
        assert progress(job).total == 10
        assert not Notification.objects.exists()

    def test_chunk_in_hand_when_the_job_is_cancelled_is_told_of(
        self,
        staff: User,
        people: MakePeople,
        running: MakeJob,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The last frame has the counts of what was committed after the cancel."""
        people(9)
        job = running()
        deliver = delivering.deliver_chunk

        def slowly(*args: Any, **kwargs: Any) -> Any:
            outcome = deliver(*args, **kwargs)
            do_cancel_job(staff, job.pk)
            return outcome

        monkeypatch.setattr(delivering, "deliver_chunk", slowly)
        drain(job.pk)
        last = frames(staff)[-1]
        assert (last["state"], last["done"]) == ("cancelled", 5)
        assert progress(job).done == 5

    def test_nobody_left(self, staff: User, alice: User, bob: User, draft: MakeJob) -> None:
        """An audience that is empty when it is planned makes a finished job of nobody."""
        Follow.objects.create(follower=bob, followed=alice)
        job = draft(audience={"type": "followers", "username": "alice"})
        do_start_job(staff, job.pk)
        alice.delete()
        drain(job.pk)
        found = progress(job)
        assert (found.state, found.total, found.percent) == (JobState.FINISHED, 0, 100.0)
        assert frames(staff)[-1]["percent"] == 100.0


@pytest.mark.usefixtures("small_chunks")
class TestRetry:
    def test_failed_recipients(
        self, staff: User, people: MakePeople, running: MakeJob, touchy: str
    ) -> None:
        """Those who failed are tried again, the total stays, and nobody is told twice."""
        people(6)
        people(6, prefix="x")
        people(3, prefix="late")
        job = running(kind=touchy, context={})
        drain(job.pk)
        assert progress(job)[:7] == (JobState.FINISHED, 16, 16, 10, 0, 0, 6)
        User.objects.filter(username="x3").update(username="renamed")
        do_retry_job(staff, job.pk)
        found = progress(job)
        assert (found.total, found.done, found.failed) == (16, 10, 0)
        drain(job.pk)
        found = progress(job)
        assert found[:7] == (JobState.FINISHED, 16, 16, 11, 0, 0, 5)
        assert Notification.objects.count() == 11
        do_retry_job(staff, job.pk)
        drain(job.pk)
        assert progress(job)[:7] == (JobState.FINISHED, 16, 16, 11, 0, 0, 5)

    def test_parked_chunk(
        self,
        staff: User,
        people: MakePeople,
        running: MakeJob,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It is pending again with five new attempts, and the job ends at 100 %."""
        people(9)
        job = running()
        parked = Chunk.objects.filter(number=1)
        parked.update(state=ChunkState.PARKED, attempts=5, error="ValueError: no")
        drain(job.pk)
        found = progress(job)
        assert (found.state, found.percent, found.parked_chunks) == (JobState.FINISHED, 50.0, 1)
        do_retry_job(staff, job.pk)
        assert parked.get().attempts == 0
        drain(job.pk)
        found = progress(job)
        assert (found.percent, found.parked_chunks) == (100.0, 0)
        with pytest.raises(NothingToRetry):
            do_retry_job(staff, job.pk)
        assert BulkJob.objects.get().state == JobState.FINISHED


class TestFanOut:
    def test_by_code(self, alice: User, bob: User) -> None:
        """Code tells followers with a kind that is not offered; the author gets the progress."""
        Follow.objects.create(follower=bob, followed=alice)
        job = do_fan_out(alice, Salutation, {}, {"type": "followers", "username": "alice"})
        drain(job.pk)
        assert Notification.objects.get().user == bob
        assert frames(alice)[-1]["percent"] == 100.0

    def test_rolled_back(self, alice: User) -> None:
        """A job of a transaction that fails was never there."""
        with transaction.atomic():
            do_fan_out(alice, Salutation, {}, Followers("alice"))
            transaction.set_rollback(True)
        assert not BulkJob.objects.exists()

    def test_author_is_told_by_workers_alone(self, alice: User) -> None:
        """In the caller's transaction nothing is published: its own publication comes last."""
        do_fan_out(None, Salutation, {}, {"type": "all"})
        do_fan_out(alice, Salutation, {}, {"type": "all"})
        assert frames(alice) == []

    @pytest.mark.parametrize("context", [{"when": timezone.now()}, {"text": "x" * 16_400}])
    def test_context_is_json_and_bounded(self, alice: User, context: dict[str, Any]) -> None:
        """What cannot be kept is refused where the mistake is made."""
        with pytest.raises(InvalidRequest):
            do_fan_out(alice, PollClosed, context, {"type": "all"})

    def test_ids_are_for_drafts(self, alice: User) -> None:
        """Nobody could list them in time."""
        with pytest.raises(InvalidRequest):
            do_fan_out(alice, PollClosed, CONTEXT, {"type": "ids"})


class TestDeletedStarter:
    def test_staff_job_goes_on(self, staff: User, alice: User, running: MakeJob) -> None:
        """It is the organisation's: it ends as it would have, told to nobody."""
        job = running()
        exported = export_of(staff)["bulk"]["jobs"]
        assert [each["context"] for each in exported] == [CONTEXT]
        BulkData().erase(staff)
        staff.delete()
        drain(job.pk)
        job.refresh_from_db()
        assert (job.created_by, job.context) == (None, CONTEXT)
        assert progress(job)[:3] == (JobState.FINISHED, 2, 2)

    def test_news_of_what_they_did_ends(self, alice: User, bob: User) -> None:
        """A job that code made for a user is cancelled, and what it said goes."""
        Follow.objects.create(follower=bob, followed=alice)
        context = {"author": "alice"}
        do_fan_out(alice, PollClosed, context, {"type": "followers", "username": "alice"})
        BulkData().erase(alice)
        job = BulkJob.objects.get()
        assert (job.state, job.context) == (JobState.CANCELLED, {})
        assert "alice" not in json.dumps(job.audience)


def test_rate_and_eta(staff: User, people: MakePeople, running: MakeJob) -> None:
    """The rate is of the last ten seconds; the rest of the recipients gives the time left."""
    people(99)
    job = running()
    now = timezone.now()
    BulkJob.objects.update(started_at=now - timedelta(seconds=60))
    half = Chunk.objects.get()
    ids = half.user_ids
    half.user_ids, half.size, half.delivered = ids[:40], 40, 40
    half.state, half.done_at = ChunkState.DONE, now
    half.save()
    Chunk.objects.create(job=job, number=2, user_ids=ids[40:], size=60)
    found = progress(job)
    assert found.rate == pytest.approx(4.0, abs=0.1)
    assert found.eta_seconds == pytest.approx(15.0, abs=0.5)
    assert found.percent == 40.0
