from __future__ import annotations

import pytest

from shared.accounts.models import User
from shared.chat.actions import (
    do_add_member,
    do_create_room,
    do_remove_member,
    do_send_message,
)
from shared.chat.exceptions import (
    CreatorStays,
    InvalidRoomName,
    NotAllowed,
    RoomNameTaken,
    UnknownMember,
    UnknownRoom,
)
from shared.chat.models import ChatRoom, Membership
from shared.realtime.history import history

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("name", ["a", "A-b_9", "x" * 100])
def test_create(alice: User, name: str) -> None:
    """A room has its creator as a member, and a position before its first message."""
    room = do_create_room(alice, name, members_only=True)
    assert str(room) == name
    assert Membership.objects.get().user == alice
    assert history(room.channel).position.offset == 0


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a\n", "ö", "x" * 101, "a/b", "a.b", "../a", "a:b", "\0", "٣"]
)
def test_name_of_another_form(alice: User, name: str) -> None:
    """Names have one alphabet: a room's name is part of its channel and its path."""
    with pytest.raises(InvalidRoomName):
        do_create_room(alice, name)
    assert not ChatRoom.objects.exists()


def test_name_taken(alice: User, bob: User, lobby: ChatRoom) -> None:
    """A second room of one name is refused, and changes nothing of the first."""
    with pytest.raises(RoomNameTaken):
        do_create_room(bob, "lobby", members_only=True)
    assert not ChatRoom.objects.get().members_only
    assert not Membership.objects.filter(user=bob).exists()


def test_members(alice: User, bob: User, backroom: ChatRoom) -> None:
    """Adding lets in, once; removing takes the right away; both may be repeated."""
    with pytest.raises(UnknownRoom):
        do_send_message(bob, "backroom", "let me in")
    for _ in range(2):
        do_add_member(alice, backroom, "bob")
    assert Membership.objects.filter(user=bob).count() == 1
    do_send_message(bob, "backroom", "thanks")
    for _ in range(2):
        do_remove_member(alice, backroom, "bob")
    with pytest.raises(UnknownRoom):
        do_send_message(bob, "backroom", "again?")


def test_who_may_manage(
    alice: User, bob: User, carol: User, staff: User, backroom: ChatRoom
) -> None:
    """The creator and staff manage members; a member does not."""
    do_add_member(staff, backroom, "bob")
    for action in (do_add_member, do_remove_member):
        with pytest.raises(NotAllowed):
            action(bob, backroom, "carol")
    assert not Membership.objects.filter(user=carol).exists()


@pytest.mark.parametrize("name", ["nobody", "", "BOB", "bob "])
def test_unknown_member(alice: User, bob: User, backroom: ChatRoom, name: str) -> None:
    """Only an active user of exactly this name can be added."""
    with pytest.raises(UnknownMember):
        do_add_member(alice, backroom, name)


def test_deactivated_member(alice: User, bob: User, carol: User, backroom: ChatRoom) -> None:
    """A deactivated user is nobody to add, but can be removed."""
    do_add_member(alice, backroom, "carol")
    User.objects.exclude(pk=alice.pk).update(is_active=False)
    with pytest.raises(UnknownMember):
        do_add_member(alice, backroom, "bob")
    do_remove_member(alice, backroom, "carol")
    assert not Membership.objects.filter(user=carol).exists()


def test_creator_stays(alice: User, staff: User, backroom: ChatRoom) -> None:
    """Nobody removes the creator: then nobody might manage the room."""
    for actor in (alice, staff):
        with pytest.raises(CreatorStays):
            do_remove_member(actor, backroom, "alice")
    assert Membership.objects.filter(user=alice).exists()


def test_user_deleted_meanwhile(bob: User, lobby: ChatRoom) -> None:
    """Who was deleted a moment ago is refused like anybody without the right."""
    User.objects.filter(pk=bob.pk).delete()
    with pytest.raises(UnknownRoom):
        do_send_message(bob, "lobby", "too late", "c1")
