from __future__ import annotations

import json
import threading
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shared.accounts.actions import do_ban, do_delete_user
from shared.accounts.models import User
from shared.accounts.personal_data import export_of
from shared.broker.wire import Published
from shared.chat.actions import (
    do_add_member,
    do_create_room,
    do_delete_message,
    do_remove_member,
    do_send_message,
    do_send_system_message,
)
from shared.chat.exceptions import NotAllowed, UnknownMessage, UnknownRoom
from shared.chat.models import ChatRoom, Membership, Message
from shared.notifications.models import Notification
from shared.realtime.history import history, recover
from shared.realtime.models import Publication, Stream
from shared.realtime.positions import Position
from shared.realtime.redaction import redact_many
from tests.shared.threads import run_together

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]


def texts(channel: str) -> str:
    return "".join(each.data for each in history(channel).publications)


def deletions(rings: Rings, channel: str) -> list[int]:
    rung = [each for ring in rings for each in ring if each.channel == channel]
    return [json.loads(each.data)["id"] for each in rung]


def test_nothing_is_left(rings: Rings, alice: User, bob: User, lobby: ChatRoom) -> None:
    """What a deleted user said is in no table and no log; what others said stays."""
    before = history("chat:lobby").position
    do_send_message(alice, "lobby", "Good morning")
    said = [do_send_message(bob, "lobby", f"secret {n} @alice", f"c{n}") for n in range(3)]
    do_send_message(alice, "lobby", "Good night")
    rings.clear()
    do_delete_user(bob)
    rows = Message.objects.filter(pk__in=[sent.message.pk for sent in said])
    assert all(row.content == "" and row.deleted_at and row.client_id is None for row in rows)
    assert all(row.user is None and row.as_data()["type"] == "deleted" for row in rows)
    assert sorted(deletions(rings, "chat:lobby")) == [sent.message.pk for sent in said]
    recovered = recover("chat:lobby", before)
    assert recovered.recovered
    everything = texts("chat:lobby") + "".join(each.data for each in recovered.publications)
    assert "secret" not in everything
    assert "bob" not in everything
    assert everything.count("Good morning") == everything.count("Good night") == 2
    assert [each.offset for each in recovered.publications] == list(range(1, 9))


def test_quotes_go(alice: User, bob: User, lobby: ChatRoom) -> None:
    """Who was mentioned keeps the notification, without name and words, in the log as well."""
    do_send_message(bob, "lobby", "secret for @alice")
    do_delete_user(bob)
    told = Notification.objects.get()
    assert (told.title, told.body) == ("You were mentioned in lobby", "")
    log = texts(f"user:{alice.pk}")
    assert "You were mentioned" in log
    assert "secret" not in log
    assert "bob" not in log


def test_memberships_and_rooms(alice: User, bob: User, backroom: ChatRoom) -> None:
    """Memberships go; a room stays with all that others said there, under nobody's name."""
    do_add_member(alice, backroom, "bob")
    do_send_message(bob, "backroom", "I stay")
    do_delete_user(alice)
    backroom.refresh_from_db()
    assert backroom.created_by is None
    assert [row.user for row in Membership.objects.all()] == [bob]
    assert Message.objects.get().content == "I stay"


def test_deleted_before(alice: User, bob: User, lobby: ChatRoom) -> None:
    """A message that its author deleted before keeps that time."""
    sent = do_send_message(bob, "lobby", "regret")
    do_delete_message(bob, sent.message.pk)
    at = Message.objects.get().deleted_at
    do_delete_user(bob)
    row = Message.objects.get()
    assert (row.deleted_at, row.deleted_by, row.user) == (at, None, None)


def test_twins_of_a_client_id(alice: User, bob: User, lobby: ChatRoom) -> None:
    """Two deleted users may have used the same client_id."""
    for user in (alice, bob):
        do_send_message(user, "lobby", "x", "same")
    for user in (alice, bob):
        do_delete_user(user)
    assert list(Message.objects.values_list("client_id", flat=True)) == [None, None]


@pytest.mark.thorough
def test_ten_thousand_messages(rings: Rings, alice: User, bob: User, lobby: ChatRoom) -> None:
    """They go by the thousand; readers hear of the newest 200, so that the log keeps the rest."""
    count = 10_000
    stream = Stream.objects.get(channel="chat:lobby")
    rows = Message.objects.bulk_create(
        (
            Message(room=lobby, user=bob, content=f"secret {n}", offset=n)
            for n in range(1, count + 1)
        ),
        batch_size=1_000,
    )
    Publication.objects.bulk_create(
        (
            Publication(stream=stream, offset=row.offset, data=json.dumps(row.as_data()))
            for row in rows
        ),
        batch_size=1_000,
    )
    Stream.objects.filter(pk=stream.pk).update(head=count)
    rings.clear()
    with CaptureQueriesContext(connection) as statements:
        do_delete_user(bob)
    assert not Message.objects.filter(content__contains="secret").exists()
    assert not Publication.objects.filter(data__contains="secret").exists()
    assert sorted(deletions(rings, "chat:lobby")) == [row.pk for row in rows[-200:]]
    assert history("chat:lobby", limit=0).position.offset == count + 200
    assert len(statements) < 200


def test_redacting_many(alice: User, lobby: ChatRoom) -> None:
    """Offsets that are not kept are passed over, and other streams are left alone."""
    do_create_room(alice, "garden")
    for room in ("lobby", "garden"):
        for text in ("one", "two"):
            do_send_message(alice, room, text)
    gone = {"type": "deleted", "id": 1}
    redact_many("chat:lobby", {2: gone, 3: gone})
    redact_many("chat:nowhere", {1: gone})
    redact_many("chat:lobby", {})
    assert "one" in texts("chat:lobby")
    assert "two" not in texts("chat:lobby")
    assert "two" in texts("chat:garden")


def test_export(alice: User, bob: User, lobby: ChatRoom, backroom: ChatRoom) -> None:
    """A user gets what they said and where they are, and nothing that others said."""
    do_add_member(alice, backroom, "bob")
    do_send_message(alice, "backroom", "secret of alice")
    mine = do_send_message(bob, "backroom", "mine")
    regret = do_send_message(bob, "lobby", "regret")
    do_delete_message(bob, regret.message.pk)
    data = export_of(bob)["chat"]
    assert data["messages"] == [
        {
            "id": mine.message.pk,
            "room": "backroom",
            "message": "mine",
            "timestamp": mine.message.timestamp.isoformat(),
        }
    ]
    assert [each["room"] for each in data["member_of"]] == ["backroom"]
    assert data["rooms_created"] == []
    assert {each["room"] for each in export_of(alice)["chat"]["rooms_created"]} == {
        "backroom",
        "lobby",
    }
    json.dumps(data)


def test_a_banned_user_writes_nothing(
    alice: User, bob: User, staff: User, lobby: ChatRoom, backroom: ChatRoom
) -> None:
    """Every write asks whether its user is still active, whatever the object in hand says."""
    sent = do_send_message(alice, "lobby", "mine")
    moderator = User.objects.create_user("mo", is_staff=True)
    old = {user.pk: User.objects.get(pk=user.pk) for user in (alice, moderator)}
    for user in (alice, moderator):
        do_ban(staff, user, "Spam")
    author, former = old[alice.pk], old[moderator.pk]
    assert author.is_active
    assert former.is_active
    with pytest.raises(UnknownRoom):
        do_send_message(author, "lobby", "x")
    with pytest.raises(UnknownMessage):
        do_delete_message(author, sent.message.pk)
    with pytest.raises(UnknownMessage):
        do_delete_message(former, sent.message.pk)
    for user in (author, former):
        with pytest.raises(NotAllowed):
            do_create_room(user, "garden")
        with pytest.raises(NotAllowed):
            do_add_member(user, backroom, "bob")
        with pytest.raises(NotAllowed):
            do_remove_member(user, backroom, "bob")
    with pytest.raises(NotAllowed):
        do_send_system_message(former, lobby, "x")
    assert Message.objects.get().content == "mine"


def test_positions_are_kept(alice: User, bob: User, lobby: ChatRoom) -> None:
    """Who was away when somebody was deleted recovers without a hole."""
    do_send_message(bob, "lobby", "secret")
    head = history("chat:lobby").position
    do_delete_user(bob)
    [publication] = recover("chat:lobby", Position(head.epoch, 1)).publications
    assert json.loads(publication.data)["type"] == "deleted"


def test_while_they_write(alice: User, bob: User, carol: User, lobby: ChatRoom) -> None:
    """Whoever is deleted in the midst of writing leaves nothing, and nobody else loses a word."""
    before = history("chat:lobby").position
    writing = threading.Barrier(4)

    def write_until_refused(number: int) -> None:
        user = User.objects.get(pk=bob.pk)
        for count in range(10_000):
            try:
                do_send_message(user, "lobby", f"secret {number} @alice", f"{number}-{count}")
            except UnknownRoom:
                return
            if count == 3:
                writing.wait(60)

    def write_on() -> None:
        for count in range(20):
            do_send_message(carol, "lobby", f"kept {count} @alice")
            if count == 3:
                writing.wait(60)

    def delete() -> None:
        writing.wait(60)
        do_delete_user(User.objects.get(pk=bob.pk))

    run_together(partial(write_until_refused, 1), partial(write_until_refused, 2), write_on, delete)
    assert not User.objects.filter(pk=bob.pk).exists()
    assert Message.objects.filter(content__startswith="kept").count() == 20
    assert not Message.objects.filter(content__contains="secret").exists()
    assert not Notification.objects.filter(body__contains="secret").exists()
    # All of it, which may be more than a client that comes back is given at once.
    page = history("chat:lobby", since=before)
    assert len(page.publications) == page.position.offset - before.offset
    assert "secret" not in "".join(each.data for each in page.publications)
