from __future__ import annotations

import time

import pytest
from django.db import transaction

from shared.accounts.models import User
from shared.broker.wire import Published
from shared.chat.actions import (
    do_add_member,
    do_delete_message,
    do_send_message,
    do_send_system_message,
)
from shared.chat.kinds import MENTIONS
from shared.chat.mentions import MENTIONED_AT_ONCE, names_in
from shared.chat.models import ChatRoom
from shared.notifications.actions import do_set_preference
from shared.notifications.models import Inbox, Notification

type Rings = list[list[Published]]

TEXTS = {
    "@bob": ["bob"],
    "Hi @bob, @carol!": ["bob", "carol"],
    "(@bob)": ["bob"],
    "@bob.": ["bob."],
    "@bob: look": ["bob"],
    "@bob's": ["bob"],
    "@bob @bob": ["bob"],
    "a\n@bob\n": ["bob"],
    "mail bob@example.org": [],
    "mail a.b+c@example.org": [],
    "@ bob": [],
    "@@bob": ["@bob"],
    "@bobé": [],
    "é@bob": [],
    "@боб": [],
    "@...": [],
    "@" + "x" * 151: [],
    "": [],
}


@pytest.mark.parametrize(("text", "names"), TEXTS.items(), ids=[text[:20] for text in TEXTS])
def test_names(text: str, names: list[str]) -> None:
    """A mention is a whole name after a blank or a bracket; an address is none."""
    assert names_in(text) == names


def test_bounds() -> None:
    """Twenty names are heard, and the longest texts are read in no time."""
    text = " ".join(f"@user{number}" for number in range(30))
    assert names_in(text) == [f"user{number}" for number in range(MENTIONED_AT_ONCE)]
    started = time.process_time()
    for text in ("@" * 8_000, "@a" * 4_000, "@" + "a." * 4_000, " @" * 4_000):
        assert len(names_in(text)) <= MENTIONED_AT_ONCE
    assert time.process_time() - started < 1


@pytest.mark.django_db(transaction=True)
class TestTelling:
    def test_told(self, rings: Rings, alice: User, bob: User, lobby: ChatRoom) -> None:
        """Who is mentioned is told who said it, where, and how to get there."""
        sent = do_send_message(alice, "lobby", "Hello @bob,\n<b>look</b>", "c1")
        told = Notification.objects.get()
        assert told.user == bob
        assert (told.kind, told.category) == ("chat.mention", "mentions")
        assert told.title == "alice mentioned you in lobby"
        assert told.body == "Hello @bob, <b>look</b>"
        assert told.url == f"/rooms/lobby/#message-{sent.message.pk}"
        assert Inbox.objects.get(user=bob).unread == 1

    def test_resend(self, alice: User, bob: User, lobby: ChatRoom) -> None:
        """The same message sent again tells nobody again."""
        for _ in range(3):
            do_send_message(alice, "lobby", "@bob", "c1")
        assert Notification.objects.count() == 1

    def test_rolled_back(self, alice: User, bob: User, lobby: ChatRoom) -> None:
        """A message that was not stored mentioned nobody."""
        with transaction.atomic():
            do_send_message(alice, "lobby", "@bob")
            transaction.set_rollback(True)
        assert not Notification.objects.exists()

    def test_not_told(
        self, alice: User, bob: User, carol: User, staff: User, lobby: ChatRoom
    ) -> None:
        """Neither the author, nor who is away for good, nor who wants none, nor anybody twice."""
        User.objects.filter(pk=carol.pk).update(is_active=False)
        do_set_preference(staff, MENTIONS.key, enabled=False)
        do_send_message(alice, "lobby", "@alice @carol @root @nobody @BOB @bob @bob.")
        assert [row.user for row in Notification.objects.all()] == [bob]

    def test_system_message(self, bob: User, staff: User, lobby: ChatRoom) -> None:
        """The server itself mentions nobody."""
        do_send_system_message(staff, lobby, "@bob")
        assert not Notification.objects.exists()

    def test_members_only(self, alice: User, bob: User, staff: User, backroom: ChatRoom) -> None:
        """Nobody hears of a room that is not open to them, staff or not."""
        do_send_message(alice, "backroom", "@bob @root")
        assert not Notification.objects.exists()
        do_add_member(alice, backroom, "bob")
        do_send_message(alice, "backroom", "@bob @root")
        assert Notification.objects.get().user == bob

    def test_name_with_a_point(self, alice: User, bob: User, lobby: ChatRoom) -> None:
        """A point at the end is the sentence's, unless it is somebody's."""
        do_send_message(alice, "lobby", "It was @bob.")
        assert Notification.objects.get().user == bob
        other = User.objects.create_user("bob.")
        do_send_message(alice, "lobby", "It was @bob.")
        assert Notification.objects.latest("id").user == other

    def test_long_text(self, alice: User, bob: User, lobby: ChatRoom) -> None:
        """What is quoted is the beginning."""
        do_send_message(alice, "lobby", "@bob " + "x" * 7_000)
        body = Notification.objects.get().body
        assert len(body) == 200
        assert body.endswith("x…")

    def test_deleted_message(self, alice: User, bob: User, lobby: ChatRoom) -> None:
        """A deleted message is quoted nowhere; that there was one stays in the inbox."""
        kept = do_send_message(alice, "lobby", "@bob stay")
        gone = do_send_message(alice, "lobby", "@bob regret")
        do_delete_message(alice, gone.message.pk)
        bodies = dict(Notification.objects.values_list("url", "body"))
        assert bodies == {
            f"/rooms/lobby/#message-{kept.message.pk}": "@bob stay",
            f"/rooms/lobby/#message-{gone.message.pk}": "",
        }
        assert Inbox.objects.get(user=bob).unread == 2
