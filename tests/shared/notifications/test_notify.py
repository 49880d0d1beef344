from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from shared.accounts.models import Follow, User
from shared.broker.wire import Published
from shared.notifications.actions import do_set_preference
from shared.notifications.delivery import ChunkOutcome, deliver_chunk
from shared.notifications.exceptions import TooManyRecipients
from shared.notifications.models import Inbox, Notification
from shared.notifications.namespaces import UserNamespace, user_channel
from shared.notifications.notify import anotify, notify
from shared.notifications.queries import unread_count
from shared.notifications.recipients import Recipient, read_recipients
from shared.realtime.history import history
from shared.realtime.models import Publication
from tests.shared.threads import run_together
from tests.team.kinds import PollClosed, Salutation, Touchy

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERED = ChunkOutcome(1, 0, 0, [])


@pytest.fixture
def many(db: None) -> list[User]:
    """Two hundred users."""
    return User.objects.bulk_create(User(username=f"u{i}") for i in range(200))


def tell(users: object, poll: str = "Tea?") -> ChunkOutcome:
    return notify(users, PollClosed, poll=poll, poll_id=7)  # type: ignore[arg-type]


def test_one(rings: list[list[Published]], alice: User) -> None:
    """A row, the count, a thin publication that refers to the row, and one bell."""
    assert tell(alice) == DELIVERED
    row = Notification.objects.get()
    assert (row.user_id, row.kind, row.category) == (alice.pk, "polls.closed", "polls")
    assert (row.title, row.body, row.url) == ("yes,no,maybe", ": Tea?", "/polls/7/")
    assert row.is_unread
    assert unread_count(alice) == 1
    [[rung]] = rings
    assert (rung.channel, rung.offset) == (user_channel(alice.pk), 1)
    assert json.loads(rung.data) == {**row.as_data(), "unread": 1}
    publication = Publication.objects.get()
    assert (publication.ref, publication.data) == (row.pk, None)


def test_read_later(alice: User) -> None:
    """Who comes back reads what was told, with the count as it is by then."""
    tell(alice, "first")
    tell(alice, "second")
    read = [json.loads(each.data) for each in history(user_channel(alice.pk)).publications]
    assert [data["body"] for data in read] == [": first", ": second"]
    assert [data["unread"] for data in read] == [2, 2]


def test_in_one_query(alice: User) -> None:
    """However many are read, their rows come in one query."""
    for n in range(5):
        tell(alice, str(n))
    refs = list(Notification.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(UserNamespace().load(refs)) == 5
    assert len(queries) == 1


def test_many(rings: list[list[Published]], many: list[User]) -> None:
    """To many it is one bell, and each has their own place, id and count."""
    tell(many[0])
    rings.clear()
    assert tell(User.objects.all()) == ChunkOutcome(200, 0, 0, [])
    [rung] = rings
    assert len(rung) == 200
    by_channel = {each.channel: each for each in rung}
    for user in many:
        data = json.loads(by_channel[user_channel(user.pk)].data)
        row = Notification.objects.get(user=user, pk=data["id"])
        expected = 2 if user == many[0] else 1
        assert data == {**row.as_data(), "unread": expected}
        assert by_channel[user_channel(user.pk)].offset == unread_count(user) == expected


def test_cost(many: list[User]) -> None:
    """The number of statements does not grow with the recipients."""
    counts = []
    for users in (many[:2], many):
        with CaptureQueriesContext(connection) as queries:
            tell(users)
        counts.append(len(queries))
    assert counts[1] <= counts[0] + (0 if connection.vendor == "postgresql" else 2)


def test_again_and_nobody(rings: list[list[Published]], alice: User) -> None:
    """Whoever stands there twice is told once; to tell nobody is nothing."""
    assert tell([alice, alice]) == DELIVERED
    assert tell([]) == tell(User.objects.none()) == ChunkOutcome(0, 0, 0, [])
    assert Notification.objects.count() == len(rings) == 1


@pytest.mark.parametrize("recipients", [7, None, [7], "alice", [None]])
def test_no_users(recipients: object) -> None:
    """What is no user is refused with what would be right."""
    with pytest.raises(TypeError, match="takes users"):
        tell(recipients)


def test_no_kind(alice: User) -> None:
    """So is a kind's key, or an object, in the place of its class."""
    for kind in ("polls.closed", PollClosed()):
        with pytest.raises(TypeError, match="Kind class"):
            notify(alice, kind)  # type: ignore[arg-type]


def test_too_many(many: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one transaction takes are refused before anybody is told."""
    monkeypatch.setattr("shared.notifications.notify.RECIPIENTS", 199)
    with pytest.raises(TooManyRecipients, match="bulk job"):
        tell(User.objects.all())
    assert not Notification.objects.exists()


def test_too_many_by_hand(many: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of an endless iterable is read than it takes to see that they are too many."""
    monkeypatch.setattr("shared.notifications.notify.RECIPIENTS", 20)
    read: list[User] = []

    def users() -> Iterator[User]:
        for user in many:
            read.append(user)
            yield user

    with pytest.raises(TooManyRecipients):
        tell(users())
    assert len(read) == 21


def test_queryset_that_repeats_people(many: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    """A join that names people several times hides none of the others behind them."""
    monkeypatch.setattr("shared.notifications.notify.RECIPIENTS", 10)
    some = many[:8]
    for followed in many[100:103]:
        Follow.objects.bulk_create(Follow(follower=user, followed=followed) for user in some)
    assert tell(User.objects.filter(following__isnull=False)).delivered == 8
    assert {row.user for row in Notification.objects.all()} == set(some)


def test_part_of_a_queryset(many: list[User]) -> None:
    """A queryset that was cut to its first rows means those."""
    assert tell(User.objects.order_by("-pk")[:3]).delivered == 3
    assert {row.user for row in Notification.objects.all()} == set(many[-3:])


def test_languages(alice: User, bob: User, carol: User) -> None:
    """Each recipient reads it in the language of theirs."""
    User.objects.filter(pk=bob.pk).update(language="de")
    tell(User.objects.all())
    titles = dict(Notification.objects.values_list("user__username", "title"))
    assert titles == {"alice": "yes,no,maybe", "bob": "Ja,Nein,Vielleicht", "carol": "yes,no,maybe"}


def test_personal(many: list[User]) -> None:
    """A text that names its recipient is each one's own, in a bounded number of queries."""
    with CaptureQueriesContext(connection) as queries:
        notify(User.objects.all(), Salutation)
    assert len(queries) < 20
    for row in Notification.objects.select_related("user"):
        assert row.title == f"Hello {row.user.username}"


def test_rendered_once(many: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is the same for all is rendered once for each language and time zone."""
    calls = []
    whole = PollClosed.render

    def counted(*args: object) -> object:
        calls.append(args)
        return whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(PollClosed, "render", counted)
    User.objects.filter(pk=many[3].pk).update(time_zone="Europe/Berlin")
    tell(User.objects.all())
    assert len(calls) == 2
    assert Notification.objects.count() == 200


def test_one_fails(
    rings: list[list[Published]], many: list[User], caplog: pytest.LogCaptureFixture
) -> None:
    """A text that cannot be made for one recipient fails for that one, with its reason."""
    User.objects.filter(pk=many[0].pk).update(username="xavier")
    User.objects.filter(pk=many[7].pk).update(username="xenia")
    outcome = notify(User.objects.all(), Touchy)
    assert outcome.delivered == 198
    assert outcome.failed == [
        (many[0].pk, "xavier is not dear."),
        (many[7].pk, "xenia is not dear."),
    ]
    assert not Notification.objects.filter(user__in=[many[0], many[7]]).exists()
    assert "2 notifications of the kind polls.touchy" in caplog.text
    assert "Traceback" not in caplog.text


def test_fails_for_all(many: list[User]) -> None:
    """A text that fails without looking at anybody fails for everybody at once."""
    outcome = notify(User.objects.all(), PollClosed, closed=1, poll_id="no address")
    assert len(outcome.failed) == 200
    assert not Notification.objects.exists()
    assert not Publication.objects.exists()


def test_deleted_before_their_text_is_made(
    many: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who goes between the reading of the recipients and their texts is gone, and not failed."""

    def read_and_delete(*args: Any) -> list[Recipient]:
        read = read_recipients(*args)
        User.objects.filter(pk__in=[many[0].pk, many[7].pk]).delete()
        return read

    monkeypatch.setattr("shared.notifications.delivery.read_recipients", read_and_delete)
    assert notify(many[:10], Salutation) == ChunkOutcome(8, 0, 2, [])


def test_preference(rings: list[list[Published]], alice: User, bob: User) -> None:
    """A category that is switched off reaches nobody's inbox or page; others do."""
    do_set_preference(alice, "polls", False)
    assert tell([alice, bob]) == ChunkOutcome(1, 1, 0, [])
    assert notify(alice, Salutation) == DELIVERED
    do_set_preference(alice, "polls", True)
    assert tell(alice) == DELIVERED


def test_inactive(alice: User, bob: User) -> None:
    """Users who cannot sign in are not told."""
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert tell([alice, bob]) == ChunkOutcome(1, 0, 1, [])


def test_rollback(rings: list[list[Published]], alice: User) -> None:
    """What is rolled back was never told: no row, no count, no bell, and the offset is not used."""
    with transaction.atomic():
        tell(alice)
        transaction.set_rollback(True)
    assert not Notification.objects.exists()
    assert unread_count(alice) == 0
    assert rings == []
    tell(alice)
    assert rings[0][0].offset == 1


def test_async(alice: User) -> None:
    """The same call works from asynchronous code."""
    assert async_to_sync(anotify)(alice, PollClosed, poll="Tea?", poll_id=7) == DELIVERED


def test_once_per_job(rings: list[list[Published]], many: list[User]) -> None:
    """A job tells nobody twice: a second run tells those whom the first has not, and counts all."""

    def run(users: list[User]) -> ChunkOutcome:
        with transaction.atomic():
            return deliver_chunk(
                PollClosed, [user.pk for user in users], {"poll": "Tea?", "poll_id": 7}, job_id=3
            )

    assert run(many[:50]).delivered == 50
    assert run(many).delivered == 200
    assert [len(ring) for ring in rings] == [50, 150]
    assert run(many).delivered == 200
    assert len(rings) == 2
    assert Notification.objects.filter(job_id=3).count() == 200
    assert set(Inbox.objects.values_list("unread", flat=True)) == {1}
    assert tell(many).delivered == 200


def test_opposite_orders(many: list[User]) -> None:
    """Deliveries to the same people in opposite orders wait for each other, never in a circle."""

    def told(users: list[User]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(5):
                tell(users)

        return run

    some = many[:40]
    run_together(told(some), told(some[::-1]), told(some[20:] + some[:20]))
    assert Notification.objects.count() == 40 * 15
    assert set(Inbox.objects.values_list("unread", flat=True)) == {15}
    for user in some:
        places = [each.offset for each in history(user_channel(user.pk)).publications]
        assert places == list(range(1, 16))
