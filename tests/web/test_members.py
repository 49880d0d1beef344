"""Adding and removing members of a members-only room."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from shared.accounts.models import User
from shared.chat.actions import do_add_member
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
    alice: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """The room's page is not open to them any more."""
    browser = signed_in(alice)
    response = browser.post(MEMBERS, {"action": "remove", "username": "alice"}, follow=True)
    assert response.redirect_chain == [("/rooms/", 302)]
    assert b"alice is no longer a member" in response.content
