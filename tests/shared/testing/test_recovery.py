"""A client of the test kit that was away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction

from shared.accounts.models import User
from shared.chat.actions import do_add_member, do_delete_message, do_send_message
from shared.chat.models import ChatRoom, Membership
from shared.notifications.actions import do_announce
from shared.notifications.namespaces import user_channel
from shared.realtime import deployment, retention
from shared.realtime.actions import do_control, do_publish_each
from shared.realtime.controls import Subscribe, Unsubscribe
from shared.realtime.drafts import Draft, Entry, encode_data
from shared.realtime.history import RECOVERY_PUBLICATIONS, history
from shared.realtime.positions import Position
from shared.realtime.retention import trim
from shared.realtime.streams import append_many, clear
from shared.testing import Disconnected, RealtimeClient
from tests.team.actions import do_vote

pytestmark = pytest.mark.django_db

BEST = "poll:best"


@pytest.fixture
def away(alice: User, monkeypatch: pytest.MonkeyPatch) -> RealtimeClient:
    """A client that has heard one vote, and lost its connection."""
    # Another test's pass over all streams may be resting.
    monkeypatch.setattr(retention, "_pass", retention._Pass())
    client = RealtimeClient(alice)
    client.subscribe(BEST)
    do_vote(alice, "best", "yes")
    client.drop()
    return client


def choices(client: RealtimeClient) -> list[str]:
    return [data["choice"] for data in client.received(BEST)]


def test_dropped(away: RealtimeClient, alice: User) -> None:
    """What came before the drop was heard; nothing is after it, and nothing can be said."""
    do_vote(alice, "best", "no")
    assert choices(away) == ["yes"]
    assert away.disconnected is not None
    assert (away.disconnected.code, away.disconnected.is_terminal) == (1006, False)
    for command in (
        lambda: away.publish(BEST, {"choice": "yes"}),
        lambda: away.subscribe("poll:other"),
        lambda: away.unsubscribe(BEST),
        lambda: away.rpc("chat.send"),
    ):
        with pytest.raises(Disconnected, match="1006"):
            command()


def test_recovered(away: RealtimeClient, alice: User) -> None:
    """All that was missed is there, once and in order, and then it goes on live."""
    for choice in ("no", "no", "yes"):
        do_vote(alice, "best", choice)
    resumed = away.reconnect()[BEST]
    assert resumed.recovered
    assert [data["choice"] for data in resumed.missed] == ["no", "no", "yes"]
    assert resumed.position == away.position(BEST)
    do_vote(alice, "best", "no")
    assert choices(away) == ["yes", "no", "no", "yes", "no"]
    assert (away.position(BEST).offset, away.losses(BEST)) == (5, 0)


def test_nothing_missed(away: RealtimeClient) -> None:
    """Then there is nothing to give, and it has recovered."""
    resumed = away.reconnect()
    assert {channel: each.recovered for channel, each in resumed.items()} == dict.fromkeys(
        away.subscriptions, True
    )
    assert resumed[BEST].missed == []


def test_still_connected(alice: User) -> None:
    """To reconnect is to drop first."""
    client = RealtimeClient(alice)
    client.subscribe(BEST)
    do_vote(alice, "best", "yes")
    assert client.reconnect()[BEST].missed == []
    assert choices(client) == ["yes"]


def lose_by_trimming(alice: User) -> None:
    for _ in range(102):
        do_vote(alice, "best", "no")
    trim()
    assert len(history(BEST).publications) == 100


def lose_by_removal(alice: User) -> None:
    do_vote(alice, "best", "no")
    clear(BEST)


def lose_by_restoring(alice: User) -> None:
    deployment.renew()


@pytest.mark.parametrize("lose", [lose_by_trimming, lose_by_removal, lose_by_restoring])
def test_lost(away: RealtimeClient, alice: User, lose: Callable[[User], None]) -> None:
    """Trimmed, removed, or of another life of the database: told so, and given none of it."""
    lose(alice)
    resumed = away.reconnect()[BEST]
    assert (resumed.recovered, resumed.missed) == (False, [])
    assert away.losses(BEST) == 1
    do_vote(alice, "best", "no")
    assert choices(away) == ["yes", "no"]
    assert away.position(BEST).offset == resumed.position.offset + 1


def test_too_much(alice: User, bob: User, lobby: ChatRoom) -> None:
    """A thousand are given, one more is too many."""
    clients = [RealtimeClient(alice), RealtimeClient(alice)]
    for client in clients:
        client.subscribe(lobby.channel)
        client.drop()
        do_publish_each([lobby.channel], {"n": 0})
    do_publish_each([lobby.channel] * (RECOVERY_PUBLICATIONS - 1), {"n": 1})
    first, second = (client.reconnect()[lobby.channel] for client in clients)
    assert (first.recovered, second.recovered) == (False, True)
    assert len(second.missed) == RECOVERY_PUBLICATIONS


def test_more_than_is_kept(alice: User) -> None:
    """What a namespace promises to keep is given, and one more is not, trimmed or not yet."""
    clients = [RealtimeClient(alice), RealtimeClient(alice)]
    first = do_vote(alice, "best", "yes")
    for client in clients:
        client.subscribe(BEST)
        client.drop()
        do_vote(alice, "best", "no")
    for _ in range(99):
        do_vote(alice, "best", "yes")
    one_more, all_of_it = (client.reconnect()[BEST] for client in clients)
    assert (one_more.recovered, one_more.missed) == (False, [])
    assert (all_of_it.recovered, len(all_of_it.missed)) == (True, 100)
    page = RealtimeClient(alice)
    since = Position(first.epoch, first.offset)
    assert not page.subscribe(BEST, since=since).recovered
    assert page.losses(BEST) == 1


def test_without_history(alice: User) -> None:
    """What is not kept cannot come back."""
    client = RealtimeClient(alice)
    client.subscribe("tick:x")
    client.drop()
    RealtimeClient(alice).publish("tick:x", {"n": 1})
    assert not client.reconnect()["tick:x"].recovered
    RealtimeClient(alice).publish("tick:x", {"n": 2})
    assert client.received("tick:x") == [{"n": 2}]


def test_what_was_deleted_meanwhile(alice: User, bob: User, lobby: ChatRoom) -> None:
    """Who was there saw it; who was away reads the log, where it is gone."""
    here, away = RealtimeClient(bob), RealtimeClient(bob)
    for client in (here, away):
        client.subscribe(lobby.channel)
    away.drop()
    sent = do_send_message(alice, "lobby", "a slip of the tongue")
    do_delete_message(alice, sent.message.pk)
    away.reconnect()
    gone = {"type": "deleted", "id": sent.message.pk}
    assert [each["type"] for each in here.received(lobby.channel)] == ["chat", "deleted"]
    assert away.received(lobby.channel) == [gone, gone]


def test_membership_lost_meanwhile(alice: User, bob: User, backroom: ChatRoom) -> None:
    """Permission is asked again at the return."""
    do_add_member(alice, backroom, "bob")
    client = RealtimeClient(bob)
    client.subscribe(backroom.channel)
    client.drop()
    Membership.objects.filter(user=bob).delete()
    do_send_message(alice, "backroom", "he is gone")
    assert backroom.channel not in client.reconnect()
    assert client.unsubscribed(backroom.channel) == (103, "permission denied")
    assert client.received(backroom.channel) == []


def test_made_by_a_server(alice: User) -> None:
    """What a server had a connection hear ends with the connection."""
    client = RealtimeClient(alice)
    do_control(Subscribe(user=str(alice.pk), channel=BEST))
    assert BEST in client.subscriptions
    client.reconnect()
    assert BEST not in client.subscriptions


def test_another_name(alice: User) -> None:
    """Each connection has an id of its own, by which servers know it."""
    client = RealtimeClient(alice)
    before = client.name
    client.reconnect()
    assert client.name != before
    do_control(Subscribe(user=str(alice.pk), client=before, channel=BEST))
    do_control(Subscribe(user=str(alice.pk), client=client.name, channel="poll:other"))
    assert BEST not in client.subscriptions
    assert "poll:other" in client.subscriptions


def test_own_channel_that_a_server_ended(alice: User, staff: User) -> None:
    """It is there again after a reconnect, from then on: clients forget where they were in it."""
    client = RealtimeClient(alice)
    own, all_of_us = user_channel(alice.pk), "announcements:all"
    do_control(Unsubscribe(user=str(alice.pk), channel=all_of_us, code=2000, reason="enough"))
    do_announce(staff, "The doors open at nine")
    assert client.subscriptions == [own]
    assert not client.reconnect()[all_of_us].recovered
    assert client.subscriptions == [all_of_us, own]
    assert client.received(all_of_us) == []
    do_announce(staff, "The doors are open")
    assert len(client.received(all_of_us)) == 1


def test_since_a_position(alice: User) -> None:
    """A page knows where the log stood when it read its state."""
    first, second = do_vote(alice, "best", "yes"), do_vote(alice, "best", "no")
    client = RealtimeClient(alice)
    resumed = client.subscribe(BEST, since=Position(first.epoch, first.offset))
    assert (resumed.recovered, choices(client)) == (True, ["no"])
    other = RealtimeClient(alice)
    foreign = other.subscribe(BEST, since=Position("another", second.offset))
    assert (foreign.recovered, other.received(BEST), other.losses(BEST)) == (False, [], 1)


def test_database_restored_under_a_connection(alice: User) -> None:
    """The gateway finds that the numbering is another one, and the client loses its place."""
    client = RealtimeClient(alice)
    client.subscribe(BEST)
    do_vote(alice, "best", "yes")
    assert choices(client) == ["yes"]
    deployment.renew()
    do_vote(alice, "best", "no")
    assert (choices(client), client.losses(BEST)) == (["yes"], 1)
    do_vote(alice, "best", "yes")
    assert choices(client) == ["yes", "yes"]


def publish_elsewhere(choice: str) -> None:
    """Append to the log as another process does, of which this one sees nothing."""
    draft = Draft(BEST, {"choice": choice})
    append_many([Entry(draft, encode_data(draft.data))])


def test_what_another_process_published(alice: User) -> None:
    """The next publication of this one shows the hole, which is filled from the log."""
    client = RealtimeClient(alice)
    client.subscribe(BEST)
    do_vote(alice, "best", "yes")
    publish_elsewhere("no")
    publish_elsewhere("no")
    assert choices(client) == ["yes"]
    do_vote(alice, "best", "yes")
    do_vote(alice, "best", "no")
    assert choices(client) == ["yes", "no", "no", "yes", "no"]


def test_hole_that_cannot_be_filled(alice: User) -> None:
    """It is told as a loss, and the live ones go on."""
    client = RealtimeClient(alice)
    client.subscribe(BEST)
    publish_elsewhere("no")
    clear(BEST)
    do_vote(alice, "best", "no")
    assert (choices(client), client.losses(BEST)) == ([], 1)
    do_vote(alice, "best", "yes")
    assert (choices(client), client.losses(BEST)) == (["yes"], 1)


def test_subscribed_in_the_same_transaction(alice: User) -> None:
    """What the log had at the subscription is not heard again when its block is left."""
    client = RealtimeClient(alice)
    with transaction.atomic():
        do_vote(alice, "best", "yes")
        client.subscribe(BEST)
    assert choices(client) == []
    do_vote(alice, "best", "no")
    assert choices(client) == ["no"]
