"""Arrivals: many who want to hear something, each told as if it were alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pytest_django import Settings

from services.gateway.arrivals import Arrivals, NoLongerActive, NotSubscribed
from services.gateway.database import DatabaseThreads
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from shared.notifications.namespaces import user_channel
from shared.realtime.exceptions import UnknownNamespace
from shared.realtime.history import Recovery

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def arrivals(settings: Settings) -> AsyncIterator[Arrivals]:
    database = DatabaseThreads()
    yield Arrivals(database)
    database.close()


async def test_each_gets_what_it_may_hear(
    arrivals: Arrivals, alice: User, bob: User, lobby: ChatRoom, backroom: ChatRoom
) -> None:
    """One batch of different wishes: what is refused to one is granted to another."""
    wishes = [
        (alice, [lobby.channel, backroom.channel]),
        (bob, [lobby.channel, backroom.channel]),
        (bob, [user_channel(bob.pk), lobby.channel]),
        (alice, [user_channel(bob.pk)]),
        (alice, ["invented:lobby"]),
        (alice, []),
    ]
    answers = await asyncio.gather(
        *(arrivals.recover(user, dict.fromkeys(channels)) for user, channels in wishes),
        return_exceptions=True,
    )
    for index in (0, 2, 5):
        found = answers[index]
        assert isinstance(found, dict)
        assert list(found) == wishes[index][1]
        assert all(isinstance(each, Recovery) and each.recovered for each in found.values())
    assert [type(answers[index]) for index in (1, 3, 4)] == [
        NotSubscribed,
        NotSubscribed,
        UnknownNamespace,
    ]


async def test_who_is_suspended_hears_nothing(
    arrivals: Arrivals, alice: User, bob: User, lobby: ChatRoom
) -> None:
    """The user object of a connection is older than the suspension; the neighbour is let in."""
    await arrivals.database.run(User.objects.filter(pk=bob.pk).update, is_active=False)
    answers = await asyncio.gather(
        *(arrivals.recover(user, {lobby.channel: None}) for user in (alice, bob)),
        arrivals.recover(bob, {}),
        return_exceptions=True,
    )
    assert [type(each) for each in answers] == [dict, NoLongerActive, NoLongerActive]
