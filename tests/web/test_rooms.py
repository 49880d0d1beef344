"""The list of rooms, and the page of one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpResponse
from django.test import Client

from shared.accounts.models import User
from shared.chat.actions import (
    do_create_room,
    do_delete_message,
    do_send_message,
)
from shared.chat.models import ChatRoom, Membership
from shared.chat.queries import room_position

type SignIn = Callable[[User], Client]

MARKUP = "<img src=x onerror=alert(1)></script><script>alert(2)</script>{{7*7}} ' \" \u2028 אב"


def page_json(response: HttpResponse, name: str) -> dict[str, Any]:
    """Return what the server wrote into the page for its script."""
    found = re.search(
        rf'<script id="{name}" type="application/json">(.*?)</script>',
        response.content.decode(),
        re.DOTALL,
    )
    assert found is not None, f"the page carries no {name}"
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_home_leads_to_the_rooms(alice: User, signed_in: SignIn) -> None:
    """The first page is the list of rooms."""
    assert signed_in(alice).get("/").headers["Location"] == "/rooms/"


def test_an_empty_list_says_what_to_do(alice: User, signed_in: SignIn) -> None:
    """Nobody is left in front of nothing."""
    assert b"Make the first one" in signed_in(alice).get("/rooms/").content


def test_creating_a_room_leads_into_it(alice: User, signed_in: SignIn) -> None:
    """The creator is a member, and the room is open unless it was to be for members."""
    browser = signed_in(alice)
    response = browser.post("/rooms/", {"name": "design"})
    assert response.headers["Location"] == "/rooms/design/"
    assert browser.get("/rooms/design/").status_code == 200
    browser.post("/rooms/", {"name": "board", "members_only": "on"})
    assert ChatRoom.objects.get(name="board").members_only
    assert Membership.objects.filter(room__name="board", user=alice).exists()


@pytest.mark.parametrize(
    "name", ["", " ", "two words", "a" * 101, "lobby\n x", "ro\0om", "rööm", "a.b", "lobby"]
)
def test_a_name_that_cannot_be_is_refused(
    name: str, lobby: ChatRoom, alice: User, signed_in: SignIn
) -> None:
    """400 with the field's fault; the list is still there."""
    response = signed_in(alice).post("/rooms/", {"name": name})
    assert response.status_code == 400
    assert response.context["form"].errors["name"]
    assert list(ChatRoom.objects.values_list("name", flat=True)) == ["lobby"]
    assert b"lobby" in response.content


def test_the_list_shows_the_last_word_of_each_room(
    alice: User, bob: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """Markup in it is text, and a deleted message does not show."""
    do_send_message(bob, "lobby", "earlier")
    last = do_send_message(bob, "lobby", MARKUP).message
    page = signed_in(alice).get("/rooms/").content.decode()
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "earlier" not in page
    do_delete_message(bob, last.pk)
    page = signed_in(alice).get("/rooms/").content.decode()
    assert "Message deleted" in page
    assert "onerror" not in page


def test_the_list_costs_few_queries(
    alice: User,
    bob: User,
    signed_in: SignIn,
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    """Five for the list, five for what every page has at its top: not one for each room."""
    for number in range(12):
        do_create_room(alice, f"room-{number}")
        do_send_message(bob, f"room-{number}", f"hello {number}")
    browser = signed_in(alice)
    with django_assert_max_num_queries(10):
        page = browser.get("/rooms/").content
    assert page.count(b": <bdi>hello") == 12


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 40])
def test_a_page_that_is_not_there_shows_one_that_is(
    page: str, alice: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """Odd page numbers are capped."""
    response = signed_in(alice).get(f"/rooms/?page={page}")
    assert response.status_code == 200
    assert b"lobby" in response.content


def test_many_rooms_make_pages(alice: User, signed_in: SignIn) -> None:
    """Fifty on each."""
    for number in range(51):
        do_create_room(alice, f"room-{number:02}")
    browser = signed_in(alice)
    assert browser.get("/rooms/").content.count(b'data-testid="room-link"') == 50
    assert browser.get("/rooms/?page=2").content.count(b'data-testid="room-link"') == 1


def test_times_are_those_of_the_readers_zone(
    alice: User, bob: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """The server writes times as the account says, and not as the last reader's did."""
    at = do_send_message(bob, "lobby", "hi").message.timestamp
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")
    tokyo = at.astimezone(ZoneInfo("Asia/Tokyo"))
    assert tokyo.strftime("%H:%M") in signed_in(alice).get("/rooms/").content.decode()
    assert at.strftime("%H:%M") in signed_in(bob).get("/rooms/").content.decode()


def test_the_room_page_carries_the_newest_fifty(
    alice: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """The oldest of them first, with the position from which nothing is missed."""
    for number in range(53):
        do_send_message(alice, "lobby", f"message {number}", f"client-{number}")
    data = page_json(signed_in(alice).get("/rooms/lobby/"), "room-data")
    assert [m["message"] for m in data["messages"]] == [f"message {n}" for n in range(3, 53)]
    assert data["messages"][-1]["client_id"] == "client-52"
    assert data["more"] is True
    assert data["channel"] == "chat:lobby"
    assert data["position"] == str(room_position(lobby))


def test_every_page_carries_the_announcements_position(
    alice: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """What is announced while a page loads is not lost."""
    data = page_json(signed_in(alice).get("/rooms/"), "page-data")
    assert data["username"] == "alice"
    assert data["user_id"] == alice.pk
    assert "announcements" in data


def test_markup_in_messages_reaches_the_page_verbatim_and_harmless(
    alice: User, bob: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """The page's data is the text; the page's markup has none of it."""
    do_send_message(bob, "lobby", MARKUP)
    response = signed_in(alice).get("/rooms/lobby/")
    assert page_json(response, "room-data")["messages"][-1]["message"] == MARKUP
    assert b"<img src=x" not in response.content
    assert b"<script>alert" not in response.content


def test_a_deleted_message_keeps_its_place_and_not_its_text(
    alice: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """The page's data says who wrote it and that it is gone."""
    message = do_send_message(alice, "lobby", "a slip").message
    do_delete_message(alice, message.pk)
    response = signed_in(alice).get("/rooms/lobby/")
    (found,) = page_json(response, "room-data")["messages"]
    assert found["deleted"] is True
    assert found["username"] == "alice"
    assert b"a slip" not in response.content
