from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from pytest_django import DjangoAssertNumQueries

from shared.accounts.models import User
from shared.chat.access import access_room, may_manage, rooms_open_to
from shared.chat.actions import do_add_member, do_create_room, do_send_message
from shared.chat.exceptions import UnknownRoom
from shared.chat.models import ChatRoom, Message
from shared.chat.namespaces import ChatNamespace
from shared.chat.queries import newest_messages, room_position, rooms_for

pytestmark = pytest.mark.django_db


def enters(user: User | AnonymousUser, name: str) -> bool:
    """Say whether the user may enter; the list, the channel and the action must agree with it."""
    try:
        access_room(user, name)
    except UnknownRoom:
        entered = False
    else:
        entered = True
    assert rooms_open_to(user).filter(name=name).exists() is entered
    assert ChatNamespace().can_subscribe(user, f"chat:{name}") is entered
    assert ChatNamespace().can_subscribe_each([(user, f"chat:{name}")]) == [entered]
    return entered


def test_matrix(
    alice: User, bob: User, carol: User, staff: User, lobby: ChatRoom, backroom: ChatRoom
) -> None:
    """Public rooms are open to every active user; others to their members alone, staff or not."""
    do_add_member(alice, backroom, "bob")
    everybody = {"alice": alice, "bob": bob, "carol": carol, "staff": staff}
    assert {name: enters(user, "lobby") for name, user in everybody.items()} == dict.fromkeys(
        everybody, True
    )
    assert {name: enters(user, "backroom") for name, user in everybody.items()} == {
        "alice": True,
        "bob": True,
        "carol": False,
        "staff": False,
    }
    assert {name: may_manage(user, backroom) for name, user in everybody.items()} == {
        "alice": True,
        "bob": False,
        "carol": False,
        "staff": True,
    }


def test_deactivated(alice: User, lobby: ChatRoom, backroom: ChatRoom) -> None:
    """A deactivated user enters nothing, although the object in hand still says active."""
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert alice.is_active
    assert not enters(alice, "lobby")
    assert not enters(alice, "backroom")
    assert list(rooms_for(alice)) == []


def test_nobody(lobby: ChatRoom) -> None:
    """Without an account there is no room."""
    assert not enters(AnonymousUser(), "lobby")


@pytest.mark.parametrize(
    "name", ["", "LOBBY", "lobby\n", "lobby ", "lob%", "l_bby", "\0", "ü", "x" * 300]
)
def test_names_are_exact(alice: User, lobby: ChatRoom, name: str) -> None:
    """No other spelling leads to a room, and no text is an error."""
    with pytest.raises(UnknownRoom):
        access_room(alice, name)


def test_one_query(
    alice: User, lobby: ChatRoom, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Permission and room come with one query: it is asked for each message."""
    with django_assert_num_queries(1):
        access_room(alice, "lobby")


def test_many_at_once(
    alice: User,
    bob: User,
    carol: User,
    lobby: ChatRoom,
    backroom: ChatRoom,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """However many arrive, each is told as if it were alone, in three queries for all."""
    do_add_member(alice, backroom, "bob")
    User.objects.filter(pk=carol.pk).update(is_active=False)
    names = ("lobby", "backroom", "nowhere", "LOBBY", "\0", "x" * 300)
    wanted = [(user, f"chat:{name}") for user in (alice, bob, carol) for name in names] * 2
    alone = [ChatNamespace().can_subscribe(user, channel) for user, channel in wanted]
    with django_assert_num_queries(3):
        assert ChatNamespace().can_subscribe_each(wanted) == alone
    assert sum(alone) == 2 * 4
    assert ChatNamespace().can_subscribe_each([]) == []


def test_rooms_in_the_order_of_what_was_said(alice: User, bob: User, backroom: ChatRoom) -> None:
    """The list holds the rooms a user may enter, the one with the newest message first."""
    for name in ("a", "b", "c"):
        do_create_room(alice, name)
    do_send_message(alice, "b", "first")
    do_send_message(alice, "backroom", "second")
    do_send_message(alice, "c", "third")
    assert [room.name for room in rooms_for(alice)][:3] == ["c", "backroom", "b"]
    assert [room.name for room in rooms_for(bob)] == ["c", "b", "a"]


def test_pages_of_messages(
    alice: User, lobby: ChatRoom, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The newest messages, the oldest of them first; then those before, without a hole."""
    for number in range(1, 8):
        do_send_message(alice, "lobby", f"{number}")
    with django_assert_num_queries(1):
        page = [(m.content, m.username) for m in newest_messages(lobby, limit=3)]
    assert page == [("5", "alice"), ("6", "alice"), ("7", "alice")]
    fifth = Message.objects.get(content="5").pk
    assert [m.content for m in newest_messages(lobby, 3, before=fifth)] == ["2", "3", "4"]
    first = Message.objects.get(content="1").pk
    assert newest_messages(lobby, before=first) == []


def test_position_goes_with_the_messages(alice: User, lobby: ChatRoom) -> None:
    """A room has a position from the start, and it is that of the newest message."""
    start = room_position(lobby)
    assert start is not None
    assert start.offset == 0
    sent = do_send_message(alice, "lobby", "x")
    assert str(room_position(lobby)) == f"{sent.published.epoch}.{sent.message.offset}"


def test_readable_names(alice: User, lobby: ChatRoom) -> None:
    """Rows read well in the admin and in logs of people."""
    sent = do_send_message(alice, "lobby", "Hello " * 20)
    assert str(sent.message).startswith("alice: Hello")
    assert len(str(sent.message)) < 80
    assert str(lobby) == "lobby"
