from __future__ import annotations

import json
from contextlib import suppress

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from shared.accounts.models import User
from shared.broker.wire import Published
from shared.chat.actions import (
    do_create_room,
    do_send_message,
    do_send_system_message,
)
from shared.chat.exceptions import (
    ClientIdConflict,
    InvalidContent,
    NotAllowed,
)
from shared.chat.models import ChatRoom, Message
from shared.realtime.history import history

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]

TAKEN = {
    "right-to-left": "‮שלום‬",
    "joined emoji": "👩‍👩‍👧‍👦",
    "emoji alone": "😀",
    "combining": "é́́",
    "markup": "<img src=x onerror=alert(1)>",
    "template": "{{7*7}}",
    "line breaks": "a\r\n\tb\u2028c",
    "8,000": "x" * 8_000,
    "8,000 wide": "😀" * 8_000,
    "with blanks around": "  x  ",
}
REFUSED = {
    "empty": "",
    "blank": " \t\r\n",
    "no-break and wide spaces": "\u00a0\u3000\u2003",
    "zero-width": "\u200b\u200c\u200d\u2060\ufeff",
    "direction marks": "\u200e\u202e\u2066",
    "a combining mark alone": "\u0301",
    "line separators": "\u2028\u2029",
    "8,001": "x" * 8_001,
    "NUL": "a\0b",
    "high surrogate": "a\ud83d",
    "low surrogate": "\ude00b",
}


class TestSend:
    def test_row_publication_and_bell(self, rings: Rings, bob: User, lobby: ChatRoom) -> None:
        """The row, its publication and its bell tell the same."""
        sent = do_send_message(bob, "lobby", "Hello", "c1")
        row = Message.objects.get()
        [publication] = history("chat:lobby").publications
        assert sent.published == publication
        assert rings[-1] == [publication]
        assert (row.content, row.user, row.room, row.client_id) == ("Hello", bob, lobby, "c1")
        assert row.offset == publication.offset == 1
        assert json.loads(publication.data) == row.as_data()
        assert not sent.repeated

    @pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
    def test_text_is_kept_verbatim(self, bob: User, lobby: ChatRoom, text: str) -> None:
        """Every visible text is stored and published as it came."""
        sent = do_send_message(bob, "lobby", text)
        assert Message.objects.get().content == text
        assert json.loads(sent.published.data)["message"] == text

    @pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
    def test_text_is_refused(self, rings: Rings, bob: User, lobby: ChatRoom, text: str) -> None:
        """A text that cannot be taken is refused by its field, and leaves nothing."""
        with pytest.raises(InvalidContent) as caught:
            do_send_message(bob, "lobby", text)
        assert caught.value.field == "message"
        assert str(caught.value).endswith(".")
        assert not Message.objects.exists()
        assert history("chat:lobby").position.offset == 0
        assert rings == []

    @pytest.mark.parametrize("client_id", ["", " ", "a b", "x" * 65, "a\n", "ü", "\0"])
    def test_client_id_is_refused(self, bob: User, lobby: ChatRoom, client_id: str) -> None:
        """A client_id of another form is refused by its field."""
        with pytest.raises(InvalidContent) as caught:
            do_send_message(bob, "lobby", "text", client_id)
        assert caught.value.field == "client_id"

    def test_resend(self, rings: Rings, bob: User, lobby: ChatRoom) -> None:
        """The same client_id gives the same id and offset; nothing is written or rung again."""
        first = do_send_message(bob, "lobby", "Hello", "c1")
        do_send_message(bob, "lobby", "in between")
        rings.clear()
        again = do_send_message(bob, "lobby", "Hello", "c1")
        assert again.repeated
        assert again.message.pk == first.message.pk
        assert again.published.offset == first.published.offset
        assert again.published.epoch == first.published.epoch
        assert json.loads(again.published.data) == json.loads(first.published.data)
        assert Message.objects.count() == 2
        assert rings == []

    def test_same_client_id_other_text(self, bob: User, lobby: ChatRoom) -> None:
        """The first text wins; another one, or the same in another room, is a conflict."""
        do_send_message(bob, "lobby", "Hello", "c1")
        do_create_room(bob, "garden")
        for room, text in (("lobby", "other"), ("garden", "Hello")):
            with pytest.raises(ClientIdConflict):
                do_send_message(bob, room, text, "c1")
        assert Message.objects.get().content == "Hello"

    def test_client_ids_are_each_users_own(self, alice: User, bob: User, lobby: ChatRoom) -> None:
        """Another user may use the same client_id."""
        one = do_send_message(alice, "lobby", "Hello", "c1")
        two = do_send_message(bob, "lobby", "Bye", "c1")
        assert one.message.pk != two.message.pk
        assert not two.repeated

    def test_rollback(self, rings: Rings, bob: User, lobby: ChatRoom) -> None:
        """A message in a transaction that rolls back was never sent, and may be sent again."""
        with suppress(ZeroDivisionError), transaction.atomic():
            do_send_message(bob, "lobby", "Hello", "c1")
            raise ZeroDivisionError
        assert not Message.objects.exists()
        assert rings == []
        assert do_send_message(bob, "lobby", "Hello", "c1").published.offset == 1

    def test_resend_inside_a_transaction(self, bob: User, lobby: ChatRoom) -> None:
        """A repeat does not spoil the caller's transaction."""
        do_send_message(bob, "lobby", "Hello", "c1")
        with transaction.atomic():
            assert do_send_message(bob, "lobby", "Hello", "c1").repeated
            do_send_message(bob, "lobby", "more")
        assert Message.objects.count() == 2

    def test_few_queries(
        self, bob: User, lobby: ChatRoom, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        """The hot path is a handful of statements, however full the room is."""
        for number in range(20):
            do_send_message(bob, "lobby", f"{number}")
        # BEGIN, COMMIT and savepoints count as well.
        with django_assert_max_num_queries(9):
            do_send_message(bob, "lobby", "Hello", "c1")


class TestSystemMessage:
    def test_staff_speaks_as_the_server(self, staff: User, lobby: ChatRoom) -> None:
        """It is the server's own, whoever had it sent."""
        message = do_send_system_message(staff, lobby, "Maintenance")
        assert message.as_data()["username"] == "System"
        assert message.as_data()["system"] is True
        assert message.user is None
        assert history("chat:lobby").position.offset == 1

    def test_others_may_not(self, alice: User, lobby: ChatRoom) -> None:
        """The room's creator is not enough; nor is staff that was deactivated."""
        former = User(username="former", is_staff=True, is_active=False)
        for user in (alice, former):
            with pytest.raises(NotAllowed):
                do_send_system_message(user, lobby, "I am the server")
        with pytest.raises(NotAllowed):
            do_send_system_message(alice, lobby, "")
        assert not Message.objects.exists()

    def test_content_rules(self, staff: User, lobby: ChatRoom) -> None:
        """The server's messages obey the same rules."""
        with pytest.raises(InvalidContent):
            do_send_system_message(staff, lobby, " ")
