"""Who is typing: told to whoever may hear the room, in the server's words, and kept nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from shared.accounts.models import User
from shared.chat.actions import do_add_member, do_remove_member
from shared.chat.models import ChatRoom
from shared.chat.typing import typing_channel
from shared.realtime.models import Publication
from shared.realtime.namespaces import namespace_of
from shared.testing import CommandRefused, RealtimeClient

pytestmark = pytest.mark.django_db


def test_the_others_are_told_who_types(alice: User, bob: User, lobby: ChatRoom) -> None:
    """By the name that the server knows; nothing is kept of it."""
    hers, his = RealtimeClient(alice), RealtimeClient(bob)
    channel = typing_channel(lobby.name)
    hers.subscribe(channel)
    his.publish(channel, {})
    assert hers.received(channel) == [{"type": "typing", "username": "bob"}]
    assert hers.speakers(channel) == [str(bob.pk)]
    assert not Publication.objects.exists()


@pytest.mark.parametrize("data", [{"username": "alice"}, {"type": "typing"}, {"message": "hi"}])
def test_nothing_else_is_told(
    alice: User, bob: User, lobby: ChatRoom, data: dict[str, Any]
) -> None:
    """Who speaks for others, or says more, is refused, and nobody hears it."""
    hers, his = RealtimeClient(alice), RealtimeClient(bob)
    channel = typing_channel(lobby.name)
    hers.subscribe(channel)
    with pytest.raises(CommandRefused, match="error 107"):
        his.publish(channel, data)
    assert hers.received(channel) == []


@pytest.mark.parametrize("room", ["backroom", "no-such-room"])
def test_rooms_that_are_not_for_everybody(bob: User, backroom: ChatRoom, room: str) -> None:
    """A stranger neither hears nor tells; a room that is not there answers the same."""
    client, channel = RealtimeClient(bob), typing_channel(room)
    for command in (lambda: client.subscribe(channel), lambda: client.publish(channel, {})):
        with pytest.raises(CommandRefused, match="error 103"):
            command()


def test_together_as_alone(alice: User, bob: User, backroom: ChatRoom) -> None:
    """Those who arrive together are answered as one by one."""
    channel = typing_channel(backroom.name)
    namespace = namespace_of(channel)
    asked = [(alice, channel), (bob, channel), (alice, typing_channel("no-such-room"))]
    assert list(namespace.can_subscribe_each(asked)) == [True, False, False]
    assert [namespace.can_subscribe(*each) for each in asked] == [True, False, False]


def test_removed_member(alice: User, bob: User, backroom: ChatRoom) -> None:
    """Whoever loses the room no longer hears who types there, and cannot tell."""
    do_add_member(alice, backroom, "bob")
    client, channel = RealtimeClient(bob), typing_channel(backroom.name)
    for each in backroom.channels:
        client.subscribe(each)
    do_remove_member(alice, backroom, "bob")
    assert not {*client.subscriptions} & {*backroom.channels}
    with pytest.raises(CommandRefused, match="error 103"):
        client.publish(channel, {})
