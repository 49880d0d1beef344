from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from prometheus_client import REGISTRY

from services.worker import maintenance
from services.worker.schedule import BEAT_SCHEDULE
from services.worker.tasks import NAMES
from shared.celery import app
from shared.realtime.models import Deployment, Publication
from shared.realtime.namespaces import namespace_of
from shared.realtime.publish import Draft, publish_many
from tests.processes import ENVIRONMENT, python

# What a worker process really knows after it has started.
LIST_TASKS = """
from services.worker.celery import app
print(*sorted(name for name in app.tasks if not name.startswith("celery.")))
print(*sorted(entry["task"] for entry in app.conf.beat_schedule.values()))
"""


def trimmed(kind: str) -> float:
    return REGISTRY.get_sample_value("carillon_streams_trimmed_total", {"kind": kind}) or 0.0


def test_schedule_names_tasks() -> None:
    """Every entry of beat's schedule names a registered task, and expires before its next."""
    assert {entry["task"] for entry in BEAT_SCHEDULE.values()} == set(NAMES.values())
    for entry in BEAT_SCHEDULE.values():
        assert entry["task"] in app.tasks
        assert 0 < entry["options"]["expires"] <= entry["schedule"].total_seconds()


def test_worker_process() -> None:
    """A worker's own process knows the tasks that beat sends."""
    ended = python("-c", LIST_TASKS, environment=ENVIRONMENT | {"CARILLON_DEMO": "1"})
    assert ended.returncode == 0, ended.stderr
    tasks, scheduled = (line.split() for line in ended.stdout.splitlines())
    assert set(scheduled) == set(NAMES.values()) <= set(tasks)


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
