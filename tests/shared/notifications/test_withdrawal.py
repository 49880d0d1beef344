from __future__ import annotations

import json

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.translation import gettext_lazy

from shared.accounts.models import User
from shared.notifications.delivery import deliver_chunk
from shared.notifications.models import Notification
from shared.notifications.namespaces import user_channel
from shared.notifications.notify import notify
from shared.notifications.queries import unread_count
from shared.notifications.withdrawal import withdraw
from shared.realtime.history import history
from tests.shared.threads import run_together
from tests.team.kinds import PollClosed, Salutation

pytestmark = pytest.mark.django_db(transaction=True)


def texts() -> dict[tuple[str, str], tuple[str, str]]:
    """Return title and body of each notification, by its owner and address."""
    rows = Notification.objects.select_related("user")
    return {(row.user.username, row.url): (row.title, row.body) for row in rows}


def test_what_is_left(alice: User, bob: User) -> None:
    """The words go, in row and log, from everybody's; the count and the others' stay."""
    for poll_id in (1, 2):
        notify([alice, bob], PollClosed, poll="secret", poll_id=poll_id)
    with transaction.atomic():
        withdraw(PollClosed, ["/polls/1/"], title="Withdrawn")
    assert texts() == {
        (name, url): left
        for name in ("alice", "bob")
        for url, left in {
            "/polls/1/": ("Withdrawn", ""),
            "/polls/2/": ("yes,no,maybe", ": secret"),
        }.items()
    }
    assert unread_count(alice) == 2
    first, second = (json.loads(each.data) for each in history(user_channel(bob.pk)).publications)
    assert (first["title"], first["body"], second["body"]) == ("Withdrawn", "", ": secret")


def test_without_address(alice: User) -> None:
    """Where nothing is left to look at, the address goes; a title that is not given stays."""
    notify(alice, PollClosed, poll="secret", poll_id=1)
    with transaction.atomic():
        withdraw(PollClosed, ["/polls/1/"], leads_on=False)
    assert texts() == {("alice", ""): ("yes,no,maybe", "")}


def test_languages(alice: User, bob: User) -> None:
    """Each owner reads it in the language of theirs."""
    User.objects.filter(pk=bob.pk).update(language="de")
    notify([alice, bob], PollClosed, poll_id=1)
    with transaction.atomic():
        withdraw(PollClosed, ["/polls/1/"], title=gettext_lazy("yes,no,maybe"))
    titles = {name: title for (name, _), (title, _) in texts().items()}
    assert titles == {"alice": "yes,no,maybe", "bob": "Ja,Nein,Vielleicht"}


def test_what_stays(alice: User) -> None:
    """Another kind with the same address, and what a job has told, stay as they were."""
    with transaction.atomic():
        deliver_chunk(PollClosed, [alice.pk], {"poll": "told by a job", "poll_id": 1}, job_id=3)
        withdraw(PollClosed, ["/polls/1/"])
        withdraw(Salutation, ["/polls/1/"])
    assert texts() == {("alice", "/polls/1/"): ("yes,no,maybe", ": told by a job")}


def test_nobody_was_told(alice: User) -> None:
    """It is one query, and no lock."""
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        withdraw(PollClosed, ["/polls/1/"])
    assert len([query for query in queries if "SELECT" in query["sql"]]) == 1


def test_while_people_are_told(alice: User, bob: User) -> None:
    """Withdrawals and deliveries to the same people wait for each other, never in a circle."""

    def tell(users: list[User]) -> None:
        for n in range(8):
            notify(users, PollClosed, poll="secret", poll_id=n)

    def take_back() -> None:
        for n in range(8):
            with transaction.atomic():
                withdraw(PollClosed, [f"/polls/{n}/"])

    run_together(lambda: tell([alice, bob]), lambda: tell([bob, alice]), take_back, take_back)
    take_back()
    assert {body for _, body in texts().values()} == {""}
    assert unread_count(alice) == unread_count(bob) == 16
