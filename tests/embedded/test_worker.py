from __future__ import annotations

import pytest

from services.embedded import worker
from shared.accounts.models import User
from shared.bulk.actions import do_fan_out
from shared.notifications.models import Notification
from tests.team.kinds import PollClosed

pytestmark = pytest.mark.django_db


def test_jobs_run_without_celery(alice: User, bob: User) -> None:
    """A round of the thread does all that is due; one without work does nothing."""
    for _ in range(2):
        do_fan_out(alice, PollClosed, {"poll": "x"}, {"type": "all"})
    worker._drain_jobs()
    assert Notification.objects.count() == 4
    worker._drain_jobs()
    assert Notification.objects.count() == 4


def test_round_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the thread lives."""

    def fail() -> None:
        raise ZeroDivisionError

    worker._survive(fail)
    assert [record.getMessage() for record in caplog.records] == ["fail failed."]
