from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from shared.accounts.models import User
from shared.broker.wire import Published
from shared.chat.actions import (
    Sent,
    do_create_room,
    do_delete_message,
    do_send_message,
    do_send_messages,
)
from shared.chat.exceptions import ChatError, ClientIdConflict, InvalidContent, UnknownRoom
from shared.chat.models import ChatRoom, Message
from shared.chat.sending import Wanted
from shared.notifications.models import Notification
from shared.realtime.exceptions import ErrorCode, Refused
from shared.realtime.history import history
from shared.realtime.namespaces import Outcome, namespace_of
from tests.shared.threads import run_together

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]


def sent_all(wanted: Sequence[Wanted]) -> list[Sent | ChatError]:
    """Send all of them, in as many calls as it takes."""
    answers: list[Sent | ChatError] = []
    while len(answers) < len(wanted):
        more = do_send_messages(wanted[len(answers) :])
        assert more
        answers += more
    return answers


def sent_singly(wanted: Sequence[Wanted]) -> list[Sent | ChatError]:
    answers: list[Sent | ChatError] = []
    for each in wanted:
        try:
            answers.append(do_send_message(*each))
        except ChatError as error:
            answers.append(error)
    return answers


def seen(published: Published) -> tuple[str, str, int, str]:
    """Return all that clients see of a publication."""
    return published.channel, published.epoch, published.offset, published.data


class TestTogether:
    def test_rows_publications_and_one_bell(self, rings: Rings, bob: User, lobby: ChatRoom) -> None:
        """Rows, publications and the one bell tell the same, in the order of the messages."""
        do_send_message(bob, "lobby", "first of all")
        rings.clear()
        sent = do_send_messages([Wanted(bob, "lobby", f"{n}", f"c{n}") for n in range(100)])
        rows = list(Message.objects.order_by("id"))[1:]
        publications = history("chat:lobby").publications[1:]
        assert [row.content for row in rows] == [str(n) for n in range(100)]
        assert [row.offset for row in rows] == list(range(2, 102))
        assert [json.loads(each.data) for each in publications] == [row.as_data() for row in rows]
        assert rings == [publications]
        assert [each.published for each in sent if isinstance(each, Sent)] == publications
        assert [each.message for each in sent if isinstance(each, Sent)] == rows

    def test_statements_do_not_grow(
        self, bob: User, lobby: ChatRoom, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        """A hundred messages take a dozen statements."""
        with django_assert_max_num_queries(15):
            do_send_messages([Wanted(bob, "lobby", "text") for _ in range(100)])

    def test_at_most_a_hundred(self, bob: User, lobby: ChatRoom) -> None:
        """More are left to the next call, and so are mentions beside a first one."""
        assert len(do_send_messages([Wanted(bob, "lobby", "text")] * 130)) == 100
        texts = ["a", "@alice", "b", "@alice", "c"]
        assert len(do_send_messages([Wanted(bob, "lobby", text) for text in texts])) == 3

    def test_nothing(self, rings: Rings) -> None:
        """Nobody's messages are stored in no time."""
        assert do_send_messages([]) == []
        assert rings == []

    def test_mentions(self, alice: User, bob: User, lobby: ChatRoom) -> None:
        """Each mention is told with its own message."""
        texts = ["hello", "@alice 1", "and", "@alice 2", "@nobody"]
        sent_all([Wanted(bob, "lobby", text) for text in texts])
        quotes = Notification.objects.order_by("id").values_list("body", flat=True)
        assert list(quotes) == ["@alice 1", "@alice 2"]

    def test_rolled_back(self, rings: Rings, bob: User, lobby: ChatRoom) -> None:
        """Where the transaction around it is given up, nothing is stored and nobody hears."""
        with transaction.atomic():
            do_send_messages([Wanted(bob, "lobby", "a"), Wanted(bob, "lobby", "b")])
            transaction.set_rollback(True)
        assert not Message.objects.exists()
        assert history("chat:lobby").position.offset == 0
        assert rings == []


class TestRepeated:
    def test_in_the_batch(self, rings: Rings, bob: User, lobby: ChatRoom) -> None:
        """The second one of a client_id is the first one again; another text is a conflict."""
        first, again, other = do_send_messages(
            [Wanted(bob, "lobby", text, "c1") for text in ("Hello", "Hello", "Bye")]
        )
        assert isinstance(first, Sent)
        assert isinstance(again, Sent)
        assert (first.repeated, again.repeated) == (False, True)
        assert seen(again.published) == seen(first.published)
        assert again.message.pk == first.message.pk
        assert isinstance(other, ClientIdConflict)
        assert rings == [[first.published]]

    def test_stored_before(self, bob: User, lobby: ChatRoom) -> None:
        """What was stored before is found, and those around it are stored."""
        before = do_send_message(bob, "lobby", "Hello", "c1")
        texts = [("a", None), ("Hello", "c1"), ("b", "c2"), ("other", "c1"), ("c", None)]
        a, again, b, other, c = do_send_messages([Wanted(bob, "lobby", *each) for each in texts])
        assert isinstance(again, Sent)
        assert again.repeated
        assert seen(again.published) == seen(before.published)
        assert isinstance(other, ClientIdConflict)
        offsets = [each.published.offset for each in (a, b, c) if isinstance(each, Sent)]
        assert offsets == [2, 3, 4]

    def test_deleted_since(self, bob: User, lobby: ChatRoom) -> None:
        """A resend of a message that was deleted is that message, without its text."""
        before = do_send_message(bob, "lobby", "Hello", "c1")
        do_delete_message(bob, before.message.pk)
        [again] = do_send_messages([Wanted(bob, "lobby", "Hello", "c1")])
        assert isinstance(again, Sent)
        assert json.loads(again.published.data) == {"type": "deleted", "id": before.message.pk}

    def test_other_room(self, alice: User, lobby: ChatRoom) -> None:
        """A client_id that names a message of another room is a conflict, in the same batch too."""
        do_create_room(alice, "garden")
        here, there = do_send_messages(
            [Wanted(alice, "lobby", "x", "c1"), Wanted(alice, "garden", "x", "c1")]
        )
        assert isinstance(here, Sent)
        assert isinstance(there, ClientIdConflict)

    def test_at_the_same_time(self, bob: User, lobby: ChatRoom) -> None:
        """What two gateways store at the same time is stored once."""
        wanted = [Wanted(bob, "lobby", f"{n}", f"c{n}") for n in range(20)]
        answers = run_together(*[lambda: do_send_messages(wanted)] * 4)
        offsets = [[each.published.offset for each in sent] for sent in answers]
        assert Message.objects.count() == 20
        assert sorted(offsets[0]) == list(range(1, 21))
        assert offsets.count(offsets[0]) == 4
        assert sum(not each.repeated for sent in answers for each in sent) == 20


class TestRefused:
    def test_each_for_itself(self, bob: User, lobby: ChatRoom, backroom: ChatRoom) -> None:
        """One that cannot be taken is refused as it would be alone; the others are stored."""
        wanted = [
            Wanted(bob, "lobby", "a"),
            Wanted(bob, "lobby", "\0"),
            Wanted(bob, "backroom", "b"),
            Wanted(bob, "lobby", "c", "no id"),
            Wanted(bob, "lobby\n", "d"),
            Wanted(bob, "lobby", "e"),
        ]
        kinds = [type(each) for each in do_send_messages(wanted)]
        assert kinds == [Sent, InvalidContent, UnknownRoom, InvalidContent, UnknownRoom, Sent]
        assert history("chat:lobby").position.offset == 2

    def test_inactive(self, alice: User, bob: User, lobby: ChatRoom) -> None:
        """Who is not active anymore says nothing, whatever the object says that came along."""
        User.objects.filter(pk=bob.pk).update(is_active=False)
        his, hers = do_send_messages([Wanted(bob, "lobby", "x"), Wanted(alice, "lobby", "y")])
        assert isinstance(his, UnknownRoom)
        assert isinstance(hers, Sent)


TEXTS = st.sampled_from(["a", "b", "hello @alice", "@bob @alice", "", "\u200b", "x\0", "x" * 8_001])
IDS = st.sampled_from([None, None, "c1", "c2", "c3", "no id", ""])
WANTED = st.tuples(
    st.sampled_from(["alice", "bob", "gone"]),
    st.sampled_from(["lobby", "backroom", "nowhere"]),
    TEXTS,
    IDS,
)


def told(answer: Sent | ChatError, publications: Sequence[Published]) -> Any:
    """Return what can be compared of answers of two runs: not ids, and no times."""
    if not isinstance(answer, Sent):
        return type(answer), str(answer), getattr(answer, "field", None)
    data = json.loads(answer.published.data)
    data.pop("id"), data.pop("timestamp", None)
    # What is told of a message is what was published of it.
    assert seen(answer.published) in map(seen, publications)
    assert answer.message.offset == answer.published.offset
    return answer.published.offset, data, answer.repeated


@pytest.mark.thorough
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=st.lists(WANTED, max_size=3), batch=st.lists(WANTED, max_size=12))
def test_together_is_as_singly(
    before: list[tuple[str, str, str, str | None]],
    batch: list[tuple[str, str, str, str | None]],
    rings: Rings,
    alice: User,
    bob: User,
    lobby: ChatRoom,
    backroom: ChatRoom,
) -> None:
    """Answers, rows, log and mentions are the same as when each is sent by itself, in order."""
    if (gone := User.objects.filter(username="gone").first()) is None:
        gone = User.objects.create_user("gone")
        User.objects.filter(pk=gone.pk).update(is_active=False)
        gone.is_active = True
    users = {"alice": alice, "bob": bob, "gone": gone}
    earlier = [Wanted(users[name], *rest) for name, *rest in before]  # type: ignore[arg-type]
    wanted = [Wanted(users[name], *rest) for name, *rest in batch]  # type: ignore[arg-type]
    results = []
    for send in (sent_singly, sent_all):
        with transaction.atomic():
            sent_singly(earlier)
            answers = send(wanted)
            logs = [history(f"chat:{room}").publications for room in ("lobby", "backroom")]
            everything = [each for log in logs for each in log]
            rows = Message.objects.order_by("id").values_list(
                "user__username", "room__name", "content", "client_id", "offset", "system"
            )
            quotes = Notification.objects.order_by("id").values_list("user__username", "body")
            results.append(
                (
                    [told(answer, everything) for answer in answers],
                    list(rows),
                    [[each.offset for each in log] for log in logs],
                    list(quotes),
                )
            )
            transaction.set_rollback(True)
    assert results[0] == results[1]


class TestNamespace:
    def test_hook(self, alice: User, bob: User, lobby: ChatRoom) -> None:
        """The namespace's answers are what `on_publish` would return or raise."""
        data: list[dict[str, Any]] = [
            {"message": "a", "client_id": "c1"},
            {"message": 5},
            {"message": "b", "client_id": 7},
            {"message": "a", "client_id": "c1"},
            {"message": "other", "client_id": "c1"},
            {"message": " "},
        ]
        chat = namespace_of("chat:lobby")
        answers = chat.on_publish_each([(bob, "chat:lobby", each) for each in data])
        assert [each.code if isinstance(each, Refused) else each.repeated for each in answers] == [
            False,
            ErrorCode.BAD_REQUEST,
            ErrorCode.BAD_REQUEST,
            True,
            ErrorCode.CONFLICT,
            ErrorCode.CONTENT_REFUSED,
        ]

    def test_hook_answers_the_first(self, bob: User, lobby: ChatRoom) -> None:
        """What is left to the next call is left with all that follows."""
        texts: list[Any] = ["@alice", None, "@alice", None]
        chat = namespace_of("chat:lobby")
        answers = chat.on_publish_each([(bob, "chat:lobby", {"message": text}) for text in texts])
        assert [type(each) for each in answers] == [Outcome, Refused]
