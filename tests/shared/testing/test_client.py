"""A client of the test kit: what it hears and may do while it is connected."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from shared.accounts.actions import do_ban, do_deactivate, do_delete_user, do_recheck, do_unban
from shared.accounts.models import User
from shared.chat.actions import do_add_member, do_remove_member, do_send_message
from shared.chat.models import ChatRoom
from shared.notifications.actions import do_announce
from shared.notifications.namespaces import user_channel
from shared.realtime import namespaces
from shared.realtime.actions import do_control
from shared.realtime.controls import Disconnect, Refresh, Subscribe
from shared.realtime.exceptions import ErrorCode
from shared.testing import CommandRefused, Disconnected, NeverSubscribed, RealtimeClient
from tests.team.actions import do_vote

pytestmark = pytest.mark.django_db

BEST = "poll:best"


def choices(client: RealtimeClient, channel: str = BEST) -> list[str]:
    return [data["choice"] for data in client.received(channel)]


class TestHearing:
    def test_what_was_published_since(self, alice: User, bob: User) -> None:
        """From the subscription on, in order, and nothing of other channels."""
        do_vote(bob, "best", "no")
        client = RealtimeClient(alice)
        client.subscribe(BEST)
        do_vote(bob, "best", "yes")
        do_vote(bob, "other", "no")
        do_vote(alice, "best", "no")
        assert client.received(BEST) == [
            {"type": "vote", "choice": "yes", "by": "bob"},
            {"type": "vote", "choice": "no", "by": "alice"},
        ]
        assert client.position(BEST).offset == 3

    def test_reading_takes_nothing_away(self, alice: User) -> None:
        """Asked twice, it answers the same."""
        client = RealtimeClient(alice)
        client.subscribe(BEST)
        do_vote(alice, "best", "yes")
        assert client.received(BEST) == client.received(BEST) != []

    def test_without_history(self, alice: User, bob: User) -> None:
        """A channel that keeps nothing is heard by those who are there."""
        early, late = RealtimeClient(alice), RealtimeClient(alice)
        early.subscribe("tick:x")
        RealtimeClient(bob).publish("tick:x", {"n": 1})
        assert early.speakers("tick:x") == [str(bob.pk)]
        late.subscribe("tick:x")
        RealtimeClient(bob).publish("tick:x", {"n": 2})
        assert early.received("tick:x") == [{"n": 1}, {"n": 2}]
        assert late.received("tick:x") == [{"n": 2}]

    def test_rolled_back(self, alice: User) -> None:
        """What was rolled back was never said; what comes next has its place."""
        client = RealtimeClient(alice)
        for channel in (BEST, "tick:x"):
            client.subscribe(channel)
        with transaction.atomic():
            do_vote(alice, "best", "no")
            client.publish("tick:x", {"n": 1})
            assert choices(client) == []
            transaction.set_rollback(True)
        assert choices(client) == []
        do_vote(alice, "best", "yes")
        assert choices(client) == ["yes"]
        assert client.received("tick:x") == []

    def test_not_from_inside_of_a_transaction(self, alice: User) -> None:
        """A publication is heard when the outermost block that the test opened is left."""
        client = RealtimeClient(alice)
        client.subscribe(BEST)
        with transaction.atomic():
            with transaction.atomic():
                do_vote(alice, "best", "yes")
            assert choices(client) == []
        assert choices(client) == ["yes"]

    def test_callbacks_that_run(
        self,
        alice: User,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        """Running the callbacks of a commit, as pages' tests do, says nothing twice."""
        client = RealtimeClient(alice)
        client.subscribe(BEST)
        with django_capture_on_commit_callbacks(execute=True) as callbacks:
            do_vote(alice, "best", "yes")
        assert len(callbacks) == 1
        assert choices(client) == ["yes"]

    def test_server_side_subscriptions(self, alice: User, bob: User, staff: User) -> None:
        """Announcements and what is for the user alone come without asking."""
        client = RealtimeClient(alice)
        assert client.subscriptions == ["announcements:all", user_channel(alice.pk)]
        do_announce(staff, "The doors open at nine")
        assert "The doors open at nine" in str(client.received("announcements:all"))

    def test_unsubscribed(self, alice: User) -> None:
        """What was heard stays, and nothing more comes; a new subscription begins anew."""
        client = RealtimeClient(alice)
        client.subscribe(BEST)
        do_vote(alice, "best", "yes")
        client.unsubscribe(BEST)
        do_vote(alice, "best", "no")
        assert choices(client) == ["yes"]
        client.subscribe(BEST)
        assert client.unsubscribed(BEST) is None
        assert choices(client) == []

    def test_misspelt(self, alice: User) -> None:
        """To ask for what was never heard is a mistake of the test, and no silence."""
        client = RealtimeClient(alice)
        with pytest.raises(NeverSubscribed, match=r"poll:bset.*announcements:all"):
            client.received("poll:bset")


class TestCommands:
    @pytest.mark.parametrize(
        ("channel", "code"),
        [
            ("poll", 102),
            ("nowhere:x", 102),
            ("poll:a b", 107),
            ("poll:\u0663", 107),
            ("user:0", 103),
            ("chat:missing", 103),
            ("revocations:all", 102),
            ("announcements:all", 105),
        ],
    )
    def test_subscribe_refused(self, alice: User, channel: str, code: int) -> None:
        """With the codes of the protocol; the connection stays."""
        client = RealtimeClient(alice)
        with pytest.raises(CommandRefused, match=f"error {code}, ") as refusal:
            client.subscribe(channel)
        assert refusal.value.code == code
        assert client.disconnected is None

    def test_too_many_subscriptions(self, alice: User) -> None:
        """There are 128, with the two that are not asked for."""
        client = RealtimeClient(alice)
        for number in range(126):
            client.subscribe(f"tick:{number}")
        with pytest.raises(CommandRefused, match="error 106"):
            client.subscribe("tick:126")

    def test_publish(self, alice: User, bob: User) -> None:
        """It goes through the namespace, and all who hear the channel hear it."""
        hers, his = RealtimeClient(alice), RealtimeClient(bob)
        hers.subscribe(BEST)
        his.publish(BEST, {"choice": "yes"})
        assert hers.received(BEST) == [{"type": "vote", "choice": "yes", "by": "bob"}]

    def test_publish_refused(self, alice: User) -> None:
        """The namespace's refusal says what to change."""
        client = RealtimeClient(alice)
        with pytest.raises(CommandRefused) as refusal:
            client.publish(BEST, {"choice": "perhaps"})
        assert (refusal.value.code, refusal.value.field) == (ErrorCode.CONTENT_REFUSED, "choice")
        with pytest.raises(CommandRefused, match="error 103"):
            client.publish("user:1", {})
        with pytest.raises(CommandRefused, match="error 107"):
            client.publish(BEST, "yes")  # type: ignore[arg-type]

    def test_publish_in_a_private_channel(
        self, alice: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only who hears it speaks there: here that is whom a server has made hear it."""
        monkeypatch.setattr(namespaces.named("tick"), "private_channels", True)
        client = RealtimeClient(alice)
        with pytest.raises(CommandRefused, match="error 103, "):
            client.publish("$tick:x", {"n": 1})
        do_control(Subscribe(user=str(alice.pk), channel="$tick:x"))
        client.publish("$tick:x", {"n": 2})
        assert client.received("$tick:x") == [{"n": 2}]

    def test_what_json_is_not(self, alice: User) -> None:
        """Data goes over a wire: tuples arrive as lists, and what is no JSON not at all."""
        client = RealtimeClient(alice)
        client.subscribe("tick:x")
        client.publish("tick:x", {"pair": (1, 2)})
        assert client.received("tick:x") == [{"pair": [1, 2]}]
        with pytest.raises(TypeError, match="set"):
            client.publish("tick:x", {"items": {1}})

    def test_rpc(self, alice: User, lobby: ChatRoom) -> None:
        """A method answers, or refuses; one that is not there is refused, too."""
        client = RealtimeClient(alice)
        message = {"room": "lobby", "message": "hello", "client_id": "c1"}
        first, again = client.rpc("chat.send", message), client.rpc("chat.send", message)
        assert (first["repeated"], again["repeated"]) == (False, True)
        assert first["id"] == again["id"]
        with pytest.raises(CommandRefused, match="error 107"):
            client.rpc("chat.send")
        with pytest.raises(CommandRefused, match="error 104"):
            client.rpc("chat.shout", {})


class TestEnds:
    def test_ban(self, alice: User, bob: User, staff: User) -> None:
        """The connection ends, nothing more is heard, and only an unban lets the user back."""
        client, other = RealtimeClient(alice), RealtimeClient(bob)
        client.subscribe(BEST)
        do_vote(bob, "best", "yes")
        do_ban(staff, alice, "spam")
        do_vote(bob, "best", "no")
        assert client.disconnected is not None
        assert (client.disconnected.code, client.disconnected.is_terminal) == (4503, True)
        assert choices(client) == ["yes"]
        assert other.disconnected is None
        with pytest.raises(Disconnected, match="closed with 4503: account suspended"):
            client.publish(BEST, {"choice": "yes"})
        for come in (client.reconnect, lambda: RealtimeClient(alice)):
            with pytest.raises(Disconnected, match="4503"):
                come()
        do_unban(staff, alice)
        assert client.reconnect()[BEST].missed == [{"type": "vote", "choice": "no", "by": "bob"}]

    def test_deactivated(self, alice: User, staff: User) -> None:
        """As a ban does."""
        client = RealtimeClient(alice)
        do_deactivate(staff, alice)
        assert client.disconnected is not None
        assert client.disconnected.code == 4503

    def test_suspended_past_all_actions(self, alice: User) -> None:
        """A row that was changed by hand is met by the next command."""
        client = RealtimeClient(alice)
        User.objects.filter(pk=alice.pk).update(is_active=False)
        assert client.disconnected is None
        with pytest.raises(CommandRefused, match="error 103"):
            client.publish(BEST, {"choice": "yes"})
        with pytest.raises(Disconnected, match="4503"):
            client.subscribe(BEST)

    def test_deleted(self, alice: User) -> None:
        """A user who is gone is nobody."""
        client = RealtimeClient(alice)
        do_delete_user(User.objects.get(pk=alice.pk))
        assert client.disconnected is not None
        with pytest.raises(Disconnected, match="3501"):
            client.reconnect()

    def test_ban_that_was_rolled_back(self, alice: User, staff: User) -> None:
        """It has not happened."""
        client = RealtimeClient(alice)
        with transaction.atomic():
            do_ban(staff, alice, "spam")
            transaction.set_rollback(True)
        assert client.disconnected is None

    def test_removed_member(self, alice: User, bob: User, backroom: ChatRoom) -> None:
        """The subscription ends where the membership does: between two messages."""
        do_add_member(alice, backroom, "bob")
        client = RealtimeClient(bob)
        client.subscribe("chat:backroom")
        do_send_message(alice, "backroom", "for both of us")
        do_remove_member(alice, backroom, "bob")
        do_send_message(alice, "backroom", "he is gone")
        assert client.unsubscribed("chat:backroom") == (2000, "not a member")
        assert [each["message"] for each in client.received("chat:backroom")] == ["for both of us"]
        assert "chat:backroom" not in client.subscriptions
        assert client.disconnected is None
        assert "chat:backroom" not in client.reconnect()

    def test_session_that_ended(self, alice: User, signed_in: Callable[[User], Client]) -> None:
        """Signing out ends the connections of that session, and no others."""
        browser = signed_in(alice)
        key = browser.session.session_key
        assert key is not None
        here, elsewhere = RealtimeClient(alice, session_key=key), RealtimeClient(alice)
        browser.logout()
        assert here.disconnected is not None
        assert here.disconnected.code == 4501
        assert elsewhere.disconnected is None

    def test_what_servers_want(self, alice: User, bob: User) -> None:
        """Controls of the server API are for those whom they name."""
        first, second, other = RealtimeClient(alice), RealtimeClient(alice), RealtimeClient(bob)
        who = str(alice.pk)
        do_control(Subscribe(user=who, client=first.name, channel=BEST))
        do_vote(bob, "best", "yes")
        assert choices(first) == ["yes"]
        assert BEST not in second.subscriptions
        do_control(Disconnect(user=who, code=3503, reason="away", whitelist=[first.name]))
        assert first.disconnected is None
        assert str(second.disconnected) == "closed with 3503: away"
        do_control(Refresh(user=who, expired=True))
        assert first.disconnected is not None
        assert first.disconnected.code == 3005
        assert other.disconnected is None

    def test_lost_permission(
        self, alice: User, bob: User, staff: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the user may not hear anymore ends, but for what a server has made."""
        monkeypatch.setattr(
            namespaces.named("poll"), "can_subscribe", lambda user, _: user.is_staff
        )
        User.objects.filter(pk=alice.pk).update(is_staff=True)
        client, other = RealtimeClient(alice), RealtimeClient(staff)
        for each in (client, other):
            each.subscribe(BEST)
        do_control(Subscribe(user=str(alice.pk), channel="poll:made"))
        alice.refresh_from_db()
        alice.is_staff = False
        alice.save()
        do_vote(bob, "best", "yes")
        assert client.unsubscribed(BEST) == (2000, "server unsubscribe")
        assert choices(client) == []
        assert "poll:made" in client.subscriptions
        assert choices(other) == ["yes"]
        do_recheck(None)
        assert client.disconnected is None
        User.objects.filter(pk=alice.pk).update(is_active=False)
        do_recheck([alice.pk])
        assert client.disconnected is not None
        assert other.disconnected is None
