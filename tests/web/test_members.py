"""Adding and removing members of a members-only room."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from shared.accounts.models import User
from shared.chat.actions import do_add_member, do_create_room
from shared.chat.models import ChatRoom

type SignIn = Callable[[User], Client]

MEMBERS = "/rooms/backroom/members/"


def names(room: ChatRoom) -> set[str]:
    return set(room.members.values_list("username", flat=True))


def test_the_creator_adds_and_removes(
    alice: User, bob: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """Each is confirmed on the room's page; the member sees the room, and then no more."""
    browser = signed_in(alice)
    page = browser.post(MEMBERS, {"action": "add", "username": "bob"}, follow=True)
    assert b"bob is a member of this room now." in page.content
    assert names(backroom) == {"alice", "bob"}
    assert signed_in(bob).get("/rooms/backroom/").status_code == 200
    page = browser.post(MEMBERS, {"action": "remove", "username": "bob"}, follow=True)
    assert b"bob is no longer a member of this room." in page.content
    assert signed_in(bob).get("/rooms/backroom/").status_code == 404


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"action": "add", "username": "nobody"}, "username"),
        ({"action": "add", "username": ""}, "username"),
        ({"action": "add", "username": "bo\0b"}, "username"),
        ({"action": "add", "username": "b" * 151}, "username"),
        ({"action": "burn", "username": "bob"}, "action"),
        ({}, "username"),
    ],
)
def test_a_bad_form_comes_back_on_the_rooms_page(
    form: dict[str, str],
    field: str,
    alice: User,
    bob: User,
    backroom: ChatRoom,
    signed_in: SignIn,
) -> None:
    """400 with the field's fault, and the page to talk in around it."""
    response = signed_in(alice).post(MEMBERS, form)
    assert response.status_code == 400
    assert field in response.context["member_form"].errors
    assert b'id="composer"' in response.content
    assert names(backroom) == {"alice"}


def test_a_member_may_not_manage(
    alice: User, bob: User, carol: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """Members see each other; the forms are the creator's and the staff's."""
    do_add_member(alice, backroom, "bob")
    browser = signed_in(bob)
    response = browser.post(MEMBERS, {"action": "add", "username": "carol"})
    assert response.status_code == 403
    assert names(backroom) == {"alice", "bob"}
    page = browser.get("/rooms/backroom/").content
    assert b"alice" in page
    assert MEMBERS.encode() not in page


def test_whoever_removes_themselves_goes_back_to_the_list(
    alice: User, staff: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """The room's page is not open to them any more."""
    do_add_member(alice, backroom, staff.username)
    browser = signed_in(staff)
    form = {"action": "remove", "username": staff.username}
    response = browser.post(MEMBERS, form, follow=True)
    assert response.redirect_chain == [("/rooms/", 302)]
    assert b"is no longer a member" in response.content


def test_the_creator_stays_a_member(
    alice: User, staff: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """Nobody can lock a room: the page offers no such button, and the server refuses in words."""
    do_add_member(alice, backroom, staff.username)
    for user in (alice, staff):
        browser = signed_in(user)
        assert b'aria-label="Remove alice"' not in browser.get("/rooms/backroom/").content
        response = browser.post(MEMBERS, {"action": "remove", "username": "alice"})
        assert response.status_code == 400
        (sentence,) = response.context["member_form"].errors["username"]
        assert sentence == "Who created this room stays its member: choose somebody else."
    assert names(backroom) == {"alice", staff.username}


def test_a_deactivated_member_can_be_removed_and_not_added(
    alice: User, bob: User, carol: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """Whoever left the organisation can be taken off the list."""
    do_add_member(alice, backroom, "bob")
    User.objects.filter(username__in=["bob", "carol"]).update(is_active=False)
    browser = signed_in(alice)
    page = browser.post(MEMBERS, {"action": "remove", "username": "bob"}, follow=True)
    assert b"bob is no longer a member of this room." in page.content
    assert browser.post(MEMBERS, {"action": "add", "username": "carol"}).status_code == 400
    assert names(backroom) == {"alice"}


def test_staff_manage_the_rooms_that_they_are_members_of(
    alice: User, staff: User, bob: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """A members-only room is as unknown to other staff as to everybody."""
    browser = signed_in(staff)
    form = {"action": "add", "username": "bob"}
    assert browser.post(MEMBERS, form).status_code == 404
    do_add_member(alice, backroom, staff.username)
    assert browser.post(MEMBERS, form).status_code == 302
    assert names(backroom) == {"alice", "bob", staff.username}


def test_a_public_rooms_creator_stays_too(alice: User, signed_in: SignIn) -> None:
    """The room may become members-only later."""
    room = do_create_room(alice, "garden")
    form = {"action": "remove", "username": "alice"}
    assert signed_in(alice).post("/rooms/garden/members/", form).status_code == 400
    assert names(room) == {"alice"}
