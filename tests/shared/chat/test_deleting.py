from __future__ import annotations

import json

import pytest

from shared.accounts.models import User
from shared.broker.wire import Published
from shared.chat.actions import do_add_member, do_delete_message, do_remove_member, do_send_message
from shared.chat.exceptions import NotAllowed, UnknownMessage
from shared.chat.models import ChatRoom, Message
from shared.realtime.history import history
from shared.realtime.models import Publication

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]


def logged(channel: str = "chat:lobby") -> list[dict[str, object]]:
    return [json.loads(each.data) for each in history(channel).publications]


def test_author_deletes(rings: Rings, bob: User, lobby: ChatRoom) -> None:
    """The content goes from the row and the log, offsets stay, and one bell tells of it."""
    sent = do_send_message(bob, "lobby", "regret", "c1")
    rings.clear()
    do_delete_message(bob, sent.message.pk)
    row = Message.objects.get()
    assert row.content == ""
    assert row.deleted_at is not None
    assert row.deleted_by == bob
    gone = {"type": "deleted", "id": row.pk}
    assert logged() == [gone, gone]
    assert "regret" not in "".join(Publication.objects.values_list("data", flat=True))
    [[rung]] = rings
    assert (rung.offset, json.loads(rung.data)) == (2, gone)


def test_staff_deletes_anywhere(alice: User, staff: User, backroom: ChatRoom) -> None:
    """Staff may delete in rooms they are no member of."""
    sent = do_send_message(alice, "backroom", "rude")
    do_delete_message(staff, sent.message.pk)
    assert Message.objects.get().deleted_by == staff


def test_others_in_the_room_may_not(alice: User, bob: User, lobby: ChatRoom) -> None:
    """Whoever is in the room but did not write it is told that it is not allowed."""
    sent = do_send_message(bob, "lobby", "mine")
    with pytest.raises(NotAllowed):
        do_delete_message(alice, sent.message.pk)
    assert Message.objects.get().content == "mine"


def test_strangers_learn_nothing(alice: User, bob: User, backroom: ChatRoom) -> None:
    """For somebody outside the room the message is as unknown as one that never was."""
    sent = do_send_message(alice, "backroom", "secret")
    for message_id in (sent.message.pk, sent.message.pk + 1_000, 0, -1, 2**63 - 1):
        with pytest.raises(UnknownMessage):
            do_delete_message(bob, message_id)
    assert Message.objects.get().content == "secret"


def test_former_member(alice: User, bob: User, backroom: ChatRoom) -> None:
    """Who was removed from a room deletes nothing there, not even their own."""
    do_add_member(alice, backroom, "bob")
    sent = do_send_message(bob, "backroom", "mine")
    do_remove_member(alice, backroom, "bob")
    with pytest.raises(UnknownMessage):
        do_delete_message(bob, sent.message.pk)


def test_twice(rings: Rings, bob: User, staff: User, lobby: ChatRoom) -> None:
    """Deleting again changes nothing, publishes nothing, and is no error."""
    sent = do_send_message(bob, "lobby", "regret")
    do_delete_message(bob, sent.message.pk)
    rings.clear()
    do_delete_message(staff, sent.message.pk)
    do_delete_message(bob, sent.message.pk)
    assert rings == []
    assert Message.objects.get().deleted_by == bob
    assert history("chat:lobby").position.offset == 2


def test_after_it_was_trimmed(bob: User, lobby: ChatRoom) -> None:
    """A message whose publication is not kept anymore is deleted all the same."""
    sent = do_send_message(bob, "lobby", "old")
    Publication.objects.all().delete()
    do_delete_message(bob, sent.message.pk)
    assert logged() == [{"type": "deleted", "id": sent.message.pk}]


def test_resend_of_a_deleted_message(bob: User, lobby: ChatRoom) -> None:
    """Sent again with its client_id it stays deleted: the answer says so, nothing comes back."""
    sent = do_send_message(bob, "lobby", "regret", "c1")
    do_delete_message(bob, sent.message.pk)
    again = do_send_message(bob, "lobby", "regret", "c1")
    assert again.repeated
    assert json.loads(again.published.data) == {"type": "deleted", "id": sent.message.pk}
    assert Message.objects.count() == 1


def test_deleted_author(bob: User, lobby: ChatRoom) -> None:
    """A message outlives its author's account, under nobody's name."""
    do_send_message(bob, "lobby", "I was here")
    bob.delete()
    assert Message.objects.get().as_data()["username"] == "deleted user"
