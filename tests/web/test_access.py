"""Who may open which page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from shared.accounts.models import User
from shared.chat.models import ChatRoom

type SignIn = Callable[[User], Client]


@pytest.mark.parametrize(
    "path",
    [
        "/rooms/",
        "/rooms/lobby/",
        "/inbox/",
        "/accounts/settings/",
        "/accounts/notifications/",
        "/staff/announce/",
    ],
)
def test_strangers_sign_in_first_and_come_back(path: str, lobby: ChatRoom) -> None:
    """A stranger lands on the form, which knows where they wanted to go."""
    response = Client().get(path)
    assert response.status_code == 302
    assert response.headers["Location"] == f"/accounts/login/?next={path}"


def test_unknown_and_foreign_rooms_look_the_same(
    bob: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """Whoever is no member does not learn that a room exists."""
    browser = signed_in(bob)
    foreign = browser.get("/rooms/backroom/")
    unknown = browser.get("/rooms/nowhere/")
    assert foreign.status_code == unknown.status_code == 404
    assert b"backroom" not in foreign.content
    assert browser.post("/rooms/backroom/members/", {}).status_code == 404
    assert b"backroom" not in browser.get("/rooms/").content


@pytest.mark.parametrize(
    "name",
    ["a" * 101, "two%20words", "lobby%0a", "l%C3%B6bby", "%D9%A3", "..%2F1", "%00", "%ff", "a.b"],
)
def test_what_is_no_room_name_is_not_found(name: str, alice: User, signed_in: SignIn) -> None:
    """Addresses with anything but a room's name in its place lead nowhere."""
    browser = signed_in(alice)
    assert browser.get(f"/rooms/{name}/").status_code == 404
    assert browser.get(f"/api/v1/rooms/{name}/messages").status_code == 404


@pytest.mark.parametrize("path", ["/staff/announce/", "/staff/system-message/"])
def test_staff_pages_are_for_staff(path: str, alice: User, staff: User, signed_in: SignIn) -> None:
    """Others are refused in words, whether they look or send."""
    for response in (signed_in(alice).get(path), signed_in(alice).post(path, {"message": "x"})):
        assert response.status_code == 403
        assert b"not open to you" in response.content
    assert signed_in(staff).get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/rooms/", "put"),
        ("/rooms/lobby/", "post"),
        ("/rooms/lobby/members/", "get"),
        ("/accounts/logout/", "get"),
        ("/accounts/signup/", "delete"),
        ("/accounts/settings/", "put"),
        ("/staff/announce/", "put"),
    ],
)
def test_other_methods_are_refused(
    path: str, method: str, staff: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """A method that an address does not know is 405, never an error of ours."""
    browser = Client() if path == "/accounts/signup/" else signed_in(staff)
    assert getattr(browser, method)(path).status_code == 405
