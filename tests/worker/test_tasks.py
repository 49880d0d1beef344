from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone
from prometheus_client import REGISTRY

from services.worker import maintenance
from services.worker.schedule import BEAT_SCHEDULE
from services.worker.tasks import NAMES
from shared.accounts.models import User
from shared.bulk import outbox
from shared.bulk.actions import do_fan_out
from shared.celery import app
from shared.realtime.models import Deployment, Publication
from shared.realtime.namespaces import namespace_of
from shared.realtime.publish import Draft, publish_many
from tests.processes import ENVIRONMENT, python
from tests.team.kinds import PollClosed

# What a worker process really knows after it has started.
LIST_TASKS = """
from services.worker.celery import app
print(*sorted(name for name in app.tasks if not name.startswith("celery.")))
print(*sorted(entry["task"] for entry in app.conf.beat_schedule.values()))
"""
# Celery tells its main process so of children that it has killed, twice of each.
TIME_OUT = """
from celery import signals
from celery.exceptions import TimeLimitExceeded
from prometheus_client import REGISTRY
from services.worker.celery import app
task = app.tasks["worker.trim_streams"]
for task_id in ("1", "1", "2", "2"):
    signals.task_failure.send(sender=task, task_id=task_id, exception=TimeLimitExceeded(60))
error = ValueError("counted where it was raised")
signals.task_failure.send(sender=task, task_id="3", exception=error)
for state in ("timeout", "failure"):
    labels = {"task": task.name, "state": state}
    print(REGISTRY.get_sample_value("carillon_task_runs_total", labels))
"""
# A main process and two children have each what is imported here.
LIST_BALLAST = """
import sys
from services.worker.celery import app
ballast = {"channels", "daphne", "django.contrib.admin", "ninja", "rich", "twisted"}
print(sorted(ballast & set(sys.modules)))
import rich, twisted
"""


def away() -> None:
    raise OperationalError("gone")


def trimmed(kind: str) -> float:
    return REGISTRY.get_sample_value("carillon_streams_trimmed_total", {"kind": kind}) or 0.0


def test_schedule_names_tasks() -> None:
    """Every entry of beat's schedule names a registered task, and expires before its next."""
    assert {entry["task"] for entry in BEAT_SCHEDULE.values()} == set(NAMES.values())
    for entry in BEAT_SCHEDULE.values():
        assert entry["task"] in app.tasks
        assert 0 < entry["options"]["expires"] <= entry["schedule"].total_seconds()


def test_queues() -> None:
    """Bulk work has a queue of its own, and a probe there; beat's rounds and teams have theirs."""
    queues = {
        name: app.amqp.router.route({}, name)["queue"].name
        for name in (*NAMES.values(), "bulk.drain", "team.task")
    }
    bulk = {name for name, queue in queues.items() if queue == "carillon.bulk"}
    assert bulk == {"bulk.probe", "bulk.drain"}
    default = {name for name, queue in queues.items() if queue == "carillon.default"}
    assert default == {"team.task"}
    assert set(queues.values()) == {"carillon.bulk", "carillon.default", "carillon.rounds"}


@pytest.mark.thorough
def test_worker_process() -> None:
    """A worker's own process knows the tasks that beat sends."""
    ended = python("-c", LIST_TASKS, environment=ENVIRONMENT | {"CARILLON_DEMO": "1"})
    assert ended.returncode == 0, ended.stderr
    tasks, scheduled = (line.split() for line in ended.stdout.splitlines())
    assert set(scheduled) == set(NAMES.values()) <= set(tasks)
    assert "bulk.drain" in tasks


@pytest.mark.thorough
def test_a_task_that_was_killed_for_its_time() -> None:
    """It is counted once, by the main process: the child that ran it is gone."""
    ended = python("-c", TIME_OUT, environment=ENVIRONMENT | {"CARILLON_DEMO": "1"})
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["2.0", "None"]


@pytest.mark.thorough
def test_worker_imports_nothing_for_nothing() -> None:
    """Its memory is bounded; what is hidden from structlog may still be imported by others."""
    ended = python("-c", LIST_BALLAST, environment=ENVIRONMENT | {"CARILLON_DEMO": "1"})
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "[]\n"


@pytest.mark.django_db
class TestRuns:
    @pytest.mark.parametrize("name", NAMES.values())
    def test_twice(self, name: str) -> None:
        """Each task runs, and runs again without harm."""
        for _ in range(2):
            app.tasks[name]()

    def test_trimming(self) -> None:
        """Streams are cut to their namespace's size; what went is counted by namespace."""
        size = namespace_of("poll:a").history_size
        publish_many([Draft("poll:a", {"n": 1})] * (size + 7))
        before = trimmed("poll")
        app.tasks[NAMES[maintenance.trim_streams]]()
        assert Publication.objects.count() == size
        assert trimmed("poll") == before + 7

    def test_sweeping(self, caplog: pytest.LogCaptureFixture) -> None:
        """Jobs are counted by state; a database that is away is a line in the log."""
        do_fan_out(None, PollClosed, {"poll": "x"}, {"type": "all"})
        sweep = app.tasks[NAMES[maintenance.sweep_jobs]]
        sweep()
        assert REGISTRY.get_sample_value("carillon_fanout_jobs", {"state": "planning"}) == 1.0
        assert REGISTRY.get_sample_value("carillon_jobs_stale") == 0.0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outbox, "do_sweep", away)
            sweep()
        assert [record.getMessage() for record in caplog.records] == [
            "Jobs could not be looked at: gone"
        ]

    def test_bulk_job(self, alice: User) -> None:
        """The task works on a job, and does nothing to one that has ended."""
        job = do_fan_out(None, PollClosed, {"poll": "x"}, {"type": "all"})
        for _ in range(2):
            app.tasks["bulk.drain"](job.pk, job.lanes[0])
            app.tasks["bulk.drain"](job.pk)
        job.refresh_from_db()
        assert (job.state, job.total) == ("finished", 1)

    def test_failover(self) -> None:
        """Another timeline of PostgreSQL begins a new incarnation."""
        Deployment.objects.update(timeline=99)
        before = Deployment.objects.get().incarnation
        app.tasks[NAMES[maintenance.watch_timeline]]()
        assert Deployment.objects.get().incarnation != before

    def test_sessions(self) -> None:
        """Sessions that have expired are deleted, others are not."""
        now = timezone.now()
        Session.objects.create(session_key="old", session_data="", expire_date=now - timedelta(1))
        Session.objects.create(session_key="new", session_data="", expire_date=now + timedelta(1))
        app.tasks[NAMES[maintenance.clear_sessions]]()
        assert Session.objects.get().session_key == "new"
