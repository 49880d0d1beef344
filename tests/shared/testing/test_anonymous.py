"""Clients of the test kit that are nobody: where a namespace lets them in, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.test import Client

from shared.accounts.actions import do_recheck
from shared.accounts.models import User
from shared.realtime.actions import do_control
from shared.realtime.controls import Disconnect
from shared.realtime.namespaces import Outcome, named
from shared.realtime.publish import publish
from shared.testing import CommandRefused, Disconnected, RealtimeClient
from tests.team.actions import do_vote

pytestmark = pytest.mark.django_db

OPEN, CLOSED = "tick:show", "poll:best"


@pytest.fixture
def open_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may hear ticks, and speak in them; one of them is heard without asking."""
    ticks = named("tick")

    def said(user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Outcome:
        return Outcome(publish(channel, {"by": user.get_username(), **data}))

    def own(user: AbstractUser) -> Iterable[str]:
        return ["tick:all"] if user.is_anonymous else []

    monkeypatch.setattr(ticks, "lets_anonymous_in", True)
    monkeypatch.setattr(ticks, "can_subscribe", lambda user, channel: True)
    monkeypatch.setattr(ticks, "can_publish", lambda user, channel: True)
    monkeypatch.setattr(ticks, "on_publish", said)
    monkeypatch.setattr(ticks, "server_side_channels", own)


def test_nothing_is_for_them() -> None:
    """Where no namespace lets them in, they are turned away."""
    with pytest.raises(Disconnected, match="3501"):
        RealtimeClient(AnonymousUser())


def test_only_where_a_namespace_lets_them(open_ticks: None, alice: User) -> None:
    """They hear and say what is theirs, are refused all else, and call no methods."""
    client, hers = RealtimeClient(AnonymousUser()), RealtimeClient(alice)
    assert client.subscriptions == ["tick:all"]
    for each in (client, hers):
        each.subscribe(OPEN)
    client.publish(OPEN, {"n": 1})
    for each in (client, hers):
        assert each.received(OPEN) == [{"by": "", "n": 1}]
        assert each.speakers(OPEN) == [""]
    for command in (
        lambda: client.subscribe(CLOSED),
        lambda: client.subscribe("announcements:all"),
        lambda: client.publish(CLOSED, {"choice": "yes"}),
        lambda: client.rpc("chat.send", {}),
    ):
        with pytest.raises(CommandRefused, match="error 103, "):
            command()


def test_what_ends_them(open_ticks: None, alice: User) -> None:
    """What concerns accounts does not; what servers want of nobody does, and of nobody else."""
    client, hers = RealtimeClient(AnonymousUser()), RealtimeClient(alice)
    do_recheck(None)
    assert client.disconnected is None
    do_control(Disconnect(user="", code=3503, reason="force disconnect"))
    assert client.disconnected is not None
    assert client.disconnected.code == 3503
    assert hers.disconnected is None
    assert list(client.reconnect()) == ["tick:all"]


def test_session_that_ended(
    open_ticks: None, alice: User, signed_in: Callable[[User], Client]
) -> None:
    """Who was signed in comes back as nobody, and hears what is for nobody."""
    browser = signed_in(alice)
    client = RealtimeClient(alice, session_key=str(browser.session.session_key))
    for channel in (OPEN, CLOSED):
        client.subscribe(channel)
    browser.logout()
    assert sorted(client.reconnect()) == ["tick:all", OPEN]
    ended = client.unsubscribed(CLOSED)
    assert ended is not None
    assert ended.code == 103
    do_vote(alice, "best", "yes")
    assert client.received(CLOSED) == []
    assert client.subscriptions == ["tick:all", OPEN]
