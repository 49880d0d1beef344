"""`/api/v1/rooms/<name>/messages`: history page by page, and deletion."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from shared.accounts.models import User
from shared.chat.actions import do_send_message, do_send_system_message
from shared.chat.models import ChatRoom, Message
from shared.chat.queries import room_position

type SignIn = Callable[[User], Client]

MESSAGES = "/api/v1/rooms/lobby/messages"


@pytest.fixture
def ids(alice: User, lobby: ChatRoom) -> list[int]:
    """The ids of 120 messages in the lobby."""
    return [do_send_message(alice, "lobby", f"message {n}").message.pk for n in range(120)]


def test_history_goes_back_page_by_page(ids: list[int], alice: User, signed_in: SignIn) -> None:
    """Each page is in order and meets the one before; the last says that there is no more."""
    browser, before, seen = signed_in(alice), None, []
    for more in (True, True, False):
        answer = browser.get(MESSAGES, {"before": before} if before else {}).json()
        assert answer["more"] is more
        seen = [message["id"] for message in answer["messages"]] + seen
        before = seen[0]
    assert seen == ids


def test_a_message_is_told_in_full(
    alice: User, staff: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """Keys and types are those of the frames, and the position is the room's."""
    sent = do_send_message(alice, "lobby", "hello", "c-1").message
    system = do_send_system_message(staff, lobby, "restart")
    answer = signed_in(alice).get(MESSAGES).json()
    assert answer == {
        "messages": [
            {
                "id": sent.pk,
                "username": "alice",
                "message": "hello",
                "timestamp": sent.timestamp.isoformat(),
                "system": False,
                "deleted": False,
                "client_id": "c-1",
            },
            {
                "id": system.pk,
                "username": "System",
                "message": "restart",
                "timestamp": system.timestamp.isoformat(),
                "system": True,
                "deleted": False,
            },
        ],
        "position": str(room_position(lobby)),
        "more": False,
    }


@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("100", 100), ("1000000000", 120)])
def test_the_limit_is_taken_and_capped(
    limit: str, count: int, ids: list[int], alice: User, signed_in: SignIn
) -> None:
    """A huge limit is no error and no burden."""
    answer = signed_in(alice).get(MESSAGES, {"limit": limit}).json()
    assert len(answer["messages"]) == count


def test_no_page_is_longer_than_two_hundred(ids: list[int], alice: User, signed_in: SignIn) -> None:
    """The cap of one answer."""
    for number in range(100):
        do_send_message(alice, "lobby", f"more {number}")
    assert len(signed_in(alice).get(MESSAGES, {"limit": "9999"}).json()["messages"]) == 200


@pytest.mark.parametrize("field", ["before", "limit"])
@pytest.mark.parametrize("value", ["", "0", "-1", "x", "1.5", "٣", "1e3", str(2**63), "9" * 5_000])
def test_a_number_that_is_none_is_refused(
    field: str, value: str, alice: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """400 in the one shape of errors, naming the field."""
    response = signed_in(alice).get(MESSAGES, {field: value})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "bad_request"
    assert list(error["fields"]) == [field]


def test_rooms_unknown_and_foreign_are_not_found_alike(
    bob: User, alice: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """Same status, same body, for reading and for deleting."""
    message = do_send_message(alice, "backroom", "secret").message
    browser = signed_in(bob)
    for method, tail in (("get", ""), ("delete", f"/{message.pk}")):
        foreign = getattr(browser, method)(f"/api/v1/rooms/backroom/messages{tail}")
        unknown = getattr(browser, method)(f"/api/v1/rooms/nowhere/messages{tail}")
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.json() == unknown.json()
        assert foreign.json()["error"]["code"] == "not_found"


def test_the_author_deletes(alice: User, lobby: ChatRoom, signed_in: SignIn) -> None:
    """204, and again 204: the text is gone from the row and from the history."""
    message = do_send_message(alice, "lobby", "a slip").message
    browser = signed_in(alice)
    for _ in range(2):
        response = browser.delete(f"{MESSAGES}/{message.pk}")
        assert (response.status_code, response.content) == (204, b"")
    assert Message.objects.get().content == ""
    (found,) = browser.get(MESSAGES).json()["messages"]
    assert (found["deleted"], found["message"]) == (True, "")


def test_others_may_not_delete_but_staff_may(
    alice: User, bob: User, staff: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """403 in the one shape for a reader; 204 for staff."""
    message = do_send_message(alice, "lobby", "mine").message
    refused = signed_in(bob).delete(f"{MESSAGES}/{message.pk}")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "forbidden"
    assert Message.objects.get().content == "mine"
    assert signed_in(staff).delete(f"{MESSAGES}/{message.pk}").status_code == 204


def test_a_message_is_found_in_its_own_room_alone(
    alice: User, lobby: ChatRoom, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """Another room's address does not reach it, nor does an id that cannot be."""
    message = do_send_message(alice, "backroom", "secret").message
    browser = signed_in(alice)
    for wrong in (message.pk, 0, 10**6, 2**63, 10**30):
        response = browser.delete(f"{MESSAGES}/{wrong}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"
    assert Message.objects.get().content == "secret"


def test_deleting_takes_a_csrf_token(alice: User, lobby: ChatRoom) -> None:
    """403 in the API's shape without it; with the header of the page it works."""
    message = do_send_message(alice, "lobby", "mine").message
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    refused = browser.delete(f"{MESSAGES}/{message.pk}")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "csrf"
    token = browser.get("/rooms/lobby/").context["csrf_token"]
    done = browser.delete(f"{MESSAGES}/{message.pk}", headers={"X-CSRFToken": str(token)})
    assert done.status_code == 204


def test_a_history_costs_few_queries(
    ids: list[int],
    alice: User,
    signed_in: SignIn,
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    """Session, user, room, position, messages: not one per message."""
    browser = signed_in(alice)
    with django_assert_max_num_queries(5):
        browser.get(MESSAGES)
