"""Chat as its clients see it."""

from __future__ import annotations

import pytest

from shared.accounts.models import User
from shared.chat.actions import do_add_member, do_delete_message, do_send_message
from shared.chat.models import ChatRoom, Message
from shared.notifications.namespaces import user_channel
from shared.testing import CommandRefused, RealtimeClient, assert_publishes

pytestmark = pytest.mark.django_db


def test_conversation(alice: User, bob: User, lobby: ChatRoom) -> None:
    """Both hear both, in one order, and the rows are the same."""
    hers, his = RealtimeClient(alice), RealtimeClient(bob)
    for client in (hers, his):
        client.subscribe(lobby.channel)
    his.publish(lobby.channel, {"message": "Is anybody here?"})
    hers.publish(lobby.channel, {"message": "I am"})
    said = hers.received(lobby.channel)
    assert [(each["username"], each["message"]) for each in said] == [
        ("bob", "Is anybody here?"),
        ("alice", "I am"),
    ]
    assert his.received(lobby.channel) == said
    assert [message.as_data() for message in Message.objects.order_by("id")] == said


def test_members_only(alice: User, bob: User, backroom: ChatRoom) -> None:
    """Who is no member neither hears nor speaks; who becomes one does."""
    client = RealtimeClient(bob)
    for command in (
        lambda: client.subscribe(backroom.channel),
        lambda: client.publish(backroom.channel, {"message": "let me in"}),
    ):
        with pytest.raises(CommandRefused, match="error 103"):
            command()
    do_add_member(alice, backroom, "bob")
    client.subscribe(backroom.channel)
    client.publish(backroom.channel, {"message": "thanks"})
    assert [each["message"] for each in client.received(backroom.channel)] == ["thanks"]


def test_content_refused(alice: User, lobby: ChatRoom) -> None:
    """A message that cannot be taken is published to nobody."""
    client = RealtimeClient(alice)
    with assert_publishes(lobby.channel, times=0), pytest.raises(CommandRefused) as refusal:
        client.publish(lobby.channel, {"message": "   "})
    assert (refusal.value.code, refusal.value.field) == (400, "message")


def test_deleted(alice: User, lobby: ChatRoom) -> None:
    """All readers hear of it, once."""
    message = do_send_message(alice, "lobby", "a slip of the tongue").message
    for times in (1, 0):
        with assert_publishes(lobby.channel, {"type": "deleted", "id": message.pk}, times=times):
            do_delete_message(alice, message.pk)


def test_sent_again(alice: User, lobby: ChatRoom) -> None:
    """A message that is sent again after a lost connection is published once."""
    client = RealtimeClient(alice)
    client.subscribe(lobby.channel)
    message = {"room": "lobby", "message": "hello", "client_id": "c1"}
    sent = client.rpc("chat.send", message)
    client.drop()
    client.reconnect()
    assert client.rpc("chat.send", message) == {**sent, "repeated": True}
    assert len(client.received(lobby.channel)) == 1


def test_mention(alice: User, bob: User, lobby: ChatRoom) -> None:
    """Whoever is mentioned hears it wherever they are."""
    client = RealtimeClient(bob)
    with assert_publishes(user_channel(alice.pk), times=0):
        do_send_message(alice, "lobby", "what does @bob say?")
    [told] = client.received(user_channel(bob.pk))
    assert (told["kind"], told["unread"]) == ("chat.mention", 1)
