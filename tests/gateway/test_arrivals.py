"""Arrivals: many who want to hear something, each told as if it were alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from django.test import Client
from pytest_django import Settings

from services.gateway.arrivals import Arrivals, LoginEnded, NoLongerActive, NotSubscribed
from services.gateway.database import DatabaseThreads
from services.gateway.recoveries import Recovery
from shared.accounts.actions import do_make_key, do_revoke_key
from shared.accounts.keys import Scope
from shared.accounts.logins import Login, login_of
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from shared.notifications.namespaces import user_channel
from shared.realtime.exceptions import UnknownNamespace
from shared.tokens.grants import NO_ORIGIN, Origin

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
        assert all(
            isinstance(each, Recovery) and each.missed is not None for each in found.values()
        )
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


async def test_logins_that_have_ended(
    arrivals: Arrivals,
    alice: User,
    bob: User,
    staff: User,
    lobby: ChatRoom,
    signed_in: Callable[[User], Client],
) -> None:
    """Each is told of its own: what it came with is gone, or its password is another one."""

    def prepare() -> list[Login]:
        browsers = [signed_in(alice), signed_in(alice)]
        sessions = [Origin(session_key=browser.session.session_key or "") for browser in browsers]
        keys = [do_make_key(staff, bob, "bot", [Scope.REALTIME_TOKEN])[0] for _ in range(2)]
        browsers[1].logout()
        do_revoke_key(staff, keys[1])
        return [
            *(login_of(alice, origin) for origin in (*sessions, NO_ORIGIN)),
            *(login_of(bob, Origin(key=key.pk)) for key in keys),
            login_of(alice, sessions[0])._replace(password="as it was"),
        ]

    logins = await arrivals.database.run(prepare)
    users = [alice, alice, alice, bob, bob, alice]
    answers = await asyncio.gather(
        *(
            arrivals.recover(user, {lobby.channel: None}, (), login)
            for user, login in zip(users, logins, strict=True)
        ),
        return_exceptions=True,
    )
    codes = [each.code if isinstance(each, LoginEnded) else type(each) for each in answers]
    assert codes == [dict, 4501, dict, dict, 4501, 3011]
