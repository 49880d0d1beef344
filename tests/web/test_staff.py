"""The staff's pages: announcements and system messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from shared.accounts.models import User
from shared.chat.actions import do_add_member
from shared.chat.models import ChatRoom, Message
from shared.notifications.models import Announcement
from shared.notifications.queries import announcements_position

type SignIn = Callable[[User], Client]


def test_an_announcement_is_made_and_confirmed(staff: User, signed_in: SignIn) -> None:
    """It is stored and published, and the next page says so."""
    response = signed_in(staff).post("/staff/announce/", {"message": "Lunch <b>!"}, follow=True)
    assert b"Your announcement is on its way to everybody." in response.content
    assert Announcement.objects.get().message == "Lunch <b>!"
    position = announcements_position()
    assert position is not None
    assert position.offset == 1


@pytest.mark.parametrize(("hours", "lasts"), [("", None), ("1", 1), ("168", 168)])
def test_an_announcement_lasts_as_long_as_the_form_says(
    hours: str, lasts: int | None, staff: User, signed_in: SignIn
) -> None:
    """Some hours from now, or as long as any is kept."""
    before = timezone.now()
    signed_in(staff).post("/staff/announce/", {"message": "Lunch", "hours": hours})
    end = Announcement.objects.get().expires_at
    if lasts is None:
        assert end is None
    else:
        assert end is not None
        assert timedelta() <= end - before - timedelta(hours=lasts) < timedelta(minutes=1)


@pytest.mark.parametrize("hours", ["0", "-1", "9999999999", "x"])
def test_a_time_that_the_form_does_not_offer_is_refused(
    hours: str, staff: User, signed_in: SignIn
) -> None:
    """400 with the field's fault; nothing is announced."""
    response = signed_in(staff).post("/staff/announce/", {"message": "Lunch", "hours": hours})
    assert response.status_code == 400
    assert response.context["form"].errors["hours"]
    assert not Announcement.objects.exists()


@pytest.mark.parametrize("message", [None, "", "  ", "\u200b", "x" * 2_001, "a\0b"])
def test_an_announcement_that_cannot_be_taken_is_refused(
    message: str | None, staff: User, signed_in: SignIn
) -> None:
    """400 with the field's fault; nothing is announced."""
    form = {} if message is None else {"message": message}
    response = signed_in(staff).post("/staff/announce/", form)
    assert response.status_code == 400
    assert response.context["form"].errors["message"]
    assert not Announcement.objects.exists()


def test_a_system_message_appears_as_the_servers(
    staff: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """It carries the server's name and mark, which no user can have."""
    response = signed_in(staff).post(
        "/staff/system-message/", {"room": "lobby", "message": "Restart at noon"}, follow=True
    )
    assert b"Your system message is in lobby." in response.content
    message = Message.objects.get()
    assert (message.system, message.username) == (True, "System")


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"room": "nowhere", "message": "x"}, "room"),
        ({"room": "backroom", "message": "x"}, "room"),
        ({"room": "", "message": "x"}, "room"),
        ({"room": "lobby", "message": "\u200b"}, "message"),
        ({"room": "lobby", "message": "x" * 8_001}, "message"),
        ({"room": "lobby"}, "message"),
    ],
)
def test_a_system_message_that_cannot_be_sent_is_refused(
    form: dict[str, str],
    field: str,
    staff: User,
    lobby: ChatRoom,
    backroom: ChatRoom,
    signed_in: SignIn,
) -> None:
    """400 with the field's fault; a room that is not the sender's is as unknown as any."""
    response = signed_in(staff).post("/staff/system-message/", form)
    assert response.status_code == 400
    assert field in response.context["form"].errors
    assert not Message.objects.exists()


def test_the_form_offers_the_rooms_that_the_sender_can_open(
    alice: User, staff: User, lobby: ChatRoom, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """Staff see no members-only room from outside; once a member, they can speak there."""
    browser = signed_in(staff)
    assert offered(browser) == {"lobby"}
    refused = browser.post("/staff/system-message/", {"room": "backroom", "message": "x"})
    (sentence,) = refused.context["form"].errors["room"]
    assert "its creator can add you" in sentence
    do_add_member(alice, backroom, staff.username)
    assert offered(browser) == {"lobby", "backroom"}
    sent = browser.post("/staff/system-message/", {"room": "backroom", "message": "x"})
    assert sent.status_code == 302


def offered(browser: Client) -> set[str]:
    """Return the rooms that the form suggests."""
    page = browser.get("/staff/system-message/").content.decode()
    return set(re.findall(r'<option value="([^"]*)">', page))


def test_a_link_can_name_the_room(staff: User, signed_in: SignIn) -> None:
    """`?room=` fills the form in, as text."""
    response = signed_in(staff).get('/staff/system-message/?room="><script>')
    assert b"&quot;&gt;&lt;script&gt;" in response.content
