from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from shared import celery
from shared.accounts.models import User
from shared.bulk import delivering, lanes, outbox
from shared.bulk.actions import do_fan_out, do_pause_job, do_resume_job, do_start_job
from shared.bulk.delivering import MAX_ATTEMPTS
from shared.bulk.lanes import drain
from shared.bulk.models import BulkJob, Chunk
from shared.bulk.outbox import LANES, do_sweep, due_jobs
from shared.bulk.queries import progress_of
from shared.bulk.states import ChunkState, JobState
from shared.notifications.models import Notification
from shared.realtime.history import history
from tests.shared.bulk.conftest import MakeJob, MakePeople
from tests.team.kinds import PollClosed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_chunks")]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """The lanes that were sent to the broker."""
    found: list[tuple[int, str]] = []

    def keep(name: str, job_id: int, token: str, *, expires: float) -> bool:
        found.append((job_id, token))
        return True

    monkeypatch.setattr(celery, "send", keep)
    monkeypatch.setattr(outbox.transaction, "on_commit", lambda call, robust=False: call())
    return found


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk raises."""

    def raise_(*_: Any, **__: Any) -> None:
        raise ValueError("no\0 such\n thing")

    monkeypatch.setattr(delivering, "deliver_chunk", raise_)


def age(job: BulkJob, seconds: float) -> None:
    then = timezone.now() - timedelta(seconds=seconds)
    BulkJob.objects.filter(pk=job.pk).update(moved_at=then, enqueued_at=then)


def states_told(user: User) -> list[str]:
    found = [json.loads(each.data) for each in history(f"user:{user.pk}").publications]
    return [frame["state"] for frame in found if frame["type"] == "job"]


class TestTokens:
    def test_one_lane_plans_and_others_join(
        self, staff: User, people: MakePeople, draft: MakeJob, sent: list[tuple[int, str]]
    ) -> None:
        """A start sends one lane; when there are chunks there are as many as may work."""
        people(14)
        job = do_start_job(staff, draft().pk)
        assert len(sent) == 1
        drain(job.pk, sent[0][1])
        assert len(sent) == LANES

    def test_lane_goes_on_once(
        self, people: MakePeople, running: MakeJob, sent: list[tuple[int, str]]
    ) -> None:
        """A message that comes twice works twice and is sent on once."""
        people(14)
        job = running()
        sent.clear()
        token = job.lanes[0]
        assert drain(job.pk, token, seconds=0)
        # The twin had looked when its token was still good.
        lanes._send_on(job.pk, token)
        assert len(sent) == 1
        assert not drain(job.pk, token, seconds=0)
        fresh = BulkJob.objects.get().lanes
        assert sent[0][1] in fresh
        assert token not in fresh

    def test_lanes_from_before_a_pause_are_closed(
        self, staff: User, people: MakePeople, running: MakeJob, sent: list[tuple[int, str]]
    ) -> None:
        """Their messages do nothing; the resumed job has its own."""
        people(14)
        job = running()
        do_pause_job(staff, job.pk)
        do_resume_job(staff, job.pk)
        drain(job.pk, job.lanes[0])
        assert not Notification.objects.exists()
        drain(job.pk, BulkJob.objects.get().lanes[0])
        assert Notification.objects.count() == 15

    def test_lane_that_ends_tells_what_the_turn_before_it_did(
        self, staff: User, people: MakePeople, running: MakeJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is left has to wait, and nobody else would tell of it until then."""
        people(9)
        job = running()
        token, other = job.lanes
        monkeypatch.setattr(lanes, "is_due", lambda job: False)
        delivering.do_deliver_chunk(job)
        Chunk.objects.filter(state=ChunkState.PENDING).update(
            due_at=timezone.now() + timedelta(minutes=1)
        )
        drain(job.pk, token)
        told = json.loads(history(f"user:{staff.pk}").publications[-1].data)
        assert (told["state"], told["done"], told["total"]) == ("running", 5, 10)
        assert BulkJob.objects.get().lanes == [other]

    def test_twin_that_leaves_before_the_last_chunk_is_done(
        self, staff: User, people: MakePeople, running: MakeJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It closes the lane of both; whoever has the chunk finishes the job all the same."""
        people(2)
        job = running()
        deliver = delivering.deliver_chunk

        def slowly(*args: Any, **kwargs: Any) -> Any:
            outcome = deliver(*args, **kwargs)
            for token in job.lanes:
                lanes._leave(job.pk, token)
            return outcome

        monkeypatch.setattr(delivering, "deliver_chunk", slowly)
        drain(job.pk, job.lanes[0])
        assert BulkJob.objects.get().state == JobState.FINISHED
        assert states_told(staff)[-1] == "finished"

    def test_end_is_told_once(
        self, staff: User, people: MakePeople, running: MakeJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A lane whose last chunk was there when another finished the job adds nothing."""
        people(2)
        job = running()
        deliver = lanes.do_deliver_chunk

        def overtaken(job: BulkJob) -> bool:
            claimed = deliver(job)
            lanes._leave(job.pk, job.lanes[1])
            return claimed

        monkeypatch.setattr(lanes, "do_deliver_chunk", overtaken)
        drain(job.pk, job.lanes[0])
        assert states_told(staff).count("finished") == 1

    def test_job_that_is_not_there(self) -> None:
        """A message may outlive everything."""
        assert not drain(999, "token")


class TestPoison:
    def test_five_errors_park_a_chunk(
        self,
        people: MakePeople,
        running: MakeJob,
        poison: None,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """It waits longer each time, is parked at the fifth, logged once; the job ends without."""
        people(2)
        job = running()
        waits = []
        with caplog.at_level(logging.ERROR):
            for _ in range(MAX_ATTEMPTS):
                assert BulkJob.objects.get().state == JobState.RUNNING
                drain(job.pk)
                chunk = Chunk.objects.get()
                waits.append((chunk.due_at - timezone.now()).total_seconds())
                drain(job.pk)
                assert Chunk.objects.get().attempts == chunk.attempts == len(waits)
                Chunk.objects.update(due_at=timezone.now())
        assert waits == [pytest.approx(2.0**n, abs=0.5) for n in range(1, MAX_ATTEMPTS + 1)]
        assert (chunk.state, chunk.error) == (ChunkState.PARKED, "ValueError: no such thing")
        assert len(caplog.records) == 1
        job.refresh_from_db()
        assert job.state == JobState.FINISHED
        found = progress_of(job)
        assert (found.done, found.outstanding, found.parked_chunks) == (0, 3, 1)

    def test_others_go_on(
        self, people: MakePeople, running: MakeJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a poisoned chunk has written is undone; the chunks after it are delivered."""
        people(9)
        job = running()
        deliver = delivering.deliver_chunk
        first = Chunk.objects.earliest("number").user_ids

        def fail_late(kind: Any, user_ids: Any, *args: Any, **kwargs: Any) -> Any:
            outcome = deliver(kind, user_ids, *args, **kwargs)
            if user_ids == first:
                raise ValueError("too late")
            return outcome

        monkeypatch.setattr(delivering, "deliver_chunk", fail_late)
        drain(job.pk)
        assert Notification.objects.count() == 5
        assert not Notification.objects.filter(user__in=first).exists()

    def test_database_that_is_away_is_no_poison(
        self,
        people: MakePeople,
        running: MakeJob,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The lane ends with a line in the log and the chunk is as it was."""
        people(2)
        job = running()

        def away(*_: Any, **__: Any) -> None:
            raise OperationalError("server closed the connection unexpectedly")

        with monkeypatch.context() as patch:
            patch.setattr(delivering, "deliver_chunk", away)
            with caplog.at_level(logging.WARNING):
                assert not drain(job.pk)
        (record,) = caplog.records
        assert record.exc_info is None
        assert Chunk.objects.get().attempts == 0
        assert list(due_jobs()) == [job]
        drain(job.pk)
        assert Notification.objects.count() == 3

    def test_chunk_that_takes_too_long(
        self, people: MakePeople, running: MakeJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is undone and counted before Celery kills the task, which would count nothing."""
        people(2)
        job = running()
        with monkeypatch.context() as patch:
            patch.setattr(delivering, "CHUNK_SECONDS", -1.0)
            drain(job.pk)
        chunk = Chunk.objects.get()
        assert (chunk.state, chunk.attempts) == (ChunkState.PENDING, 1)
        assert "longer than" in chunk.error
        assert not Notification.objects.exists()
        Chunk.objects.update(due_at=timezone.now())
        drain(job.pk)
        assert Notification.objects.count() == 3

    def test_deadlock_is_no_poison(
        self, people: MakePeople, running: MakeJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its victim is due again soon, however often."""
        people(2)
        job = running()

        class Deadlock(Exception):
            sqlstate = "40P01"

        def lose(*_: Any, **__: Any) -> None:
            raise OperationalError("deadlock detected") from Deadlock()

        monkeypatch.setattr(delivering, "deliver_chunk", lose)
        for _ in range(MAX_ATTEMPTS + 1):
            drain(job.pk)
            Chunk.objects.update(due_at=timezone.now())
        chunk = Chunk.objects.get()
        assert (chunk.state, chunk.attempts) == (ChunkState.PENDING, 0)


class TestSweep:
    def test_lost_message(
        self, people: MakePeople, running: MakeJob, sent: list[tuple[int, str]]
    ) -> None:
        """A job that has not moved for 15 s is sent again; not more often than that."""
        people(14)
        job = running()
        sent.clear()
        assert do_sweep().stale == 0
        age(job, 20)
        swept = do_sweep()
        assert (swept.stale, swept.enqueued) == (1, 1)
        assert swept.oldest_seconds == pytest.approx(20, abs=1)
        assert len(sent) == LANES
        swept = do_sweep()
        assert (swept.stale, swept.enqueued, len(sent)) == (1, 0, LANES)
        drain(job.pk, sent[0][1])
        assert progress_of(BulkJob.objects.get()).percent == 100.0

    def test_message_that_waits_behind_other_jobs(
        self, people: MakePeople, running: MakeJob, sent: list[tuple[int, str]]
    ) -> None:
        """What was sent before a sweep is as good as what the sweep sends: it keeps its place."""
        people(14)
        job = running()
        waiting = [token for _, token in sent[-LANES:]]
        sent.clear()
        age(job, 20)
        assert do_sweep().enqueued == 1
        assert [token for _, token in sent] == waiting
        drain(job.pk, waiting[0])
        assert progress_of(BulkJob.objects.get()).percent == 100.0

    def test_longest_waiting_first(
        self, people: MakePeople, running: MakeJob, sent: list[tuple[int, str]]
    ) -> None:
        """Where messages are too many, those that expire are not always the same job's."""
        people(4)
        jobs = [running() for _ in range(3)]
        sent.clear()
        for job, seconds in zip(jobs, (30, 50, 40), strict=True):
            age(job, seconds)
        do_sweep()
        assert [job_id for job_id, _ in sent[::LANES]] == [jobs[n].pk for n in (1, 2, 0)]

    def test_lost_end(self, people: MakePeople, running: MakeJob) -> None:
        """A worker killed between the last chunk and the end leaves a job that is still due."""
        people(2)
        job = running()
        delivering.do_deliver_chunk(job)
        assert list(due_jobs()) == [job]
        drain(job.pk)
        assert BulkJob.objects.get().state == JobState.FINISHED

    def test_chunk_whose_time_comes(
        self,
        people: MakePeople,
        running: MakeJob,
        poison: None,
        sent: list[tuple[int, str]],
    ) -> None:
        """Lanes end while all that is left has to wait; the job is sent again when it is due."""
        people(2)
        job = running()
        for token in job.lanes:
            drain(job.pk, token)
        assert BulkJob.objects.get().lanes == []
        sent.clear()
        do_sweep()
        assert not sent
        Chunk.objects.update(due_at=timezone.now())
        swept = do_sweep()
        assert (swept.stale, swept.enqueued, len(sent)) == (0, 0, LANES)

    def test_counts(self, staff: User, draft: MakeJob, running: MakeJob) -> None:
        """Jobs that have not ended are counted by state; each state has a number."""
        draft()
        job = running()
        do_fan_out(None, PollClosed, {}, {"type": "all"})
        do_pause_job(staff, job.pk)
        assert do_sweep().jobs == {
            JobState.DRAFT: 1,
            JobState.PLANNING: 1,
            JobState.RUNNING: 0,
            JobState.PAUSED: 1,
        }

    def test_recipients_who_are_left(
        self, staff: User, people: MakePeople, draft: MakeJob, running: MakeJob
    ) -> None:
        """Those of jobs under way are counted until they were told; nobody of others."""
        draft()
        people(14)
        job = running()
        total = job.total
        assert total > 10
        assert do_sweep().pending == total
        delivering.do_deliver_chunk(job)
        told = progress_of(BulkJob.objects.get(pk=job.pk)).done
        assert 0 < told < total
        assert do_sweep().pending == total - told
        do_pause_job(staff, job.pk)
        assert do_sweep().pending == 0
        do_resume_job(staff, job.pk)
        drain(job.pk)
        assert do_sweep().pending == 0
