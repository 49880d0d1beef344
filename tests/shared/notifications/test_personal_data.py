from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from shared.accounts.actions import do_delete_user
from shared.accounts.models import User
from shared.accounts.personal_data import export_of
from shared.notifications import delivery
from shared.notifications.actions import (
    do_announce,
    do_archive,
    do_mark_read,
    do_see_announcement,
    do_set_preference,
)
from shared.notifications.delivery import ChunkOutcome, deliver_chunk
from shared.notifications.models import AnnouncementSeen, Inbox, Notification, Preference
from shared.notifications.namespaces import user_channel
from shared.notifications.notify import notify
from shared.notifications.recipients import read_recipients
from shared.realtime.history import history
from tests.shared.threads import submit
from tests.team.kinds import PollClosed, Salutation

pytestmark = pytest.mark.django_db(transaction=True)

_SECONDS = 20.0


@pytest.fixture
def told(alice: User, bob: User) -> list[int]:
    """The ids of three notifications of alice's, the oldest first; bob has one of them too."""
    for n in range(3):
        notify(alice, PollClosed, poll=str(n), poll_id=n)
    notify(bob, PollClosed, poll="his", poll_id=9)
    return list(Notification.objects.filter(user=alice).order_by("id").values_list("pk", flat=True))


def test_export(alice: User, told: list[int]) -> None:
    """All of one's own, what was put away included, and nothing of anybody else's."""
    do_mark_read(alice, told[:1])
    do_archive(alice, told[1:2])
    do_set_preference(alice, "polls", False)
    text = json.dumps(export_of(alice)["notifications"], cls=DjangoJSONEncoder)
    exported = json.loads(text)
    assert [row["body"] for row in exported["notifications"]] == [": 2", ": 0", ": 1"]
    assert [row["read_at"] is None for row in exported["notifications"]] == [True, False, True]
    assert [row["archived_at"] is None for row in exported["notifications"]] == [True, True, False]
    assert exported["preferences"] == [{"category": "polls", "enabled": False}]
    assert "his" not in text


def test_erase(alice: User, bob: User, staff: User, told: list[int]) -> None:
    """Inbox, archive, preferences, markers and the log of the own channel go; others' stay."""
    do_archive(alice, told[:1])
    do_set_preference(alice, "polls", False)
    do_see_announcement(alice, do_announce(staff, "Cake").pk)
    do_delete_user(alice)
    assert [row.user_id for row in Notification.objects.all()] == [bob.pk]
    assert [row.user_id for row in Inbox.objects.all()] == [bob.pk]
    assert not Preference.objects.exists()
    assert not AnnouncementSeen.objects.exists()
    assert history(user_channel(alice.pk)).publications == []
    assert len(history(user_channel(bob.pk)).publications) == 1


def _delete_while_told(
    user: User, monkeypatch: pytest.MonkeyPatch, *, committed_late: bool
) -> ChunkOutcome:
    """
    Delete a user while a delivery to them is under way, and return its outcome.

    Args:
        user: who has never been told anything, so that the delivery makes the inbox.
        monkeypatch: to stop the delivery at a chosen place.
        committed_late: stop it with everything written, otherwise with the recipients just read.
    """
    stopped, go_on = threading.Event(), threading.Event()

    def stop() -> None:
        stopped.set()
        assert go_on.wait(_SECONDS)

    def read_and_stop(*args: object) -> object:
        read = read_recipients(*args)  # type: ignore[arg-type]
        stop()
        return read

    if not committed_late:
        monkeypatch.setattr(delivery, "read_recipients", read_and_stop)

    def deliver() -> ChunkOutcome:
        with transaction.atomic():
            outcome = deliver_chunk(Salutation, [user.pk], {}, job_id=1)
            if committed_late:
                stop()
        return outcome

    with ThreadPoolExecutor(2) as threads:
        delivering = submit(threads, deliver)
        assert stopped.wait(_SECONDS)
        deleting = submit(threads, do_delete_user, user)
        if committed_late:
            _wait_until_somebody_waits()
        else:
            deleting.result(_SECONDS)
        go_on.set()
        deleting.result(_SECONDS)
        return delivering.result(_SECONDS)


def _wait_until_somebody_waits() -> None:
    """Return when a transaction waits for a lock of another one."""
    deadline = threading.Event()
    for _ in range(int(_SECONDS / 0.02)):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        deadline.wait(0.02)
    pytest.fail("Nobody waits: the deletion has not met the delivery.")


@pytest.mark.servers
@pytest.mark.parametrize("committed_late", [False, True])
def test_told_while_being_deleted(
    on_postgresql: None, alice: User, monkeypatch: pytest.MonkeyPatch, committed_late: bool
) -> None:
    """A delivery that meets a deletion leaves nothing behind, and fails for nobody else."""
    outcome = _delete_while_told(alice, monkeypatch, committed_late=committed_late)
    assert outcome == (ChunkOutcome(1, 0, 0, []) if committed_late else ChunkOutcome(0, 0, 1, []))
    assert not Notification.objects.exists()
    assert not Inbox.objects.exists()
    assert not User.objects.filter(pk=alice.pk).exists()
