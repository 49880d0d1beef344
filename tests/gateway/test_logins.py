"""Sessions, passwords and keys that end without a word while somebody is connected with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.utils import timezone

from services.gateway import logins
from services.gateway.runtime import Gateway
from shared.accounts.actions import do_end_session
from shared.accounts.logins import Ended, Login
from shared.accounts.models import ApiKey, User
from shared.chat.models import ChatRoom
from shared.tokens.grants import Origin
from shared.tokens.signing import sign_connection
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.centrifuge.test_logins import (
    Browse,
    browse,
    cookie,
    key,
    of_session,
    with_token,
)
from tests.gateway.peer import Peer, eventually
from tests.gateway.test_bans import AwayAtFirst

__all__ = ["browse", "key"]

pytestmark = pytest.mark.django_db(transaction=True)

COME_BACK = (3011, "force reconnect")


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "_ROUND_SECONDS", 0.05)
    monkeypatch.setattr(logins, "_GRACE_SECONDS", 0.01)


def delete(session_key: str) -> None:
    Session.objects.filter(pk=session_key).delete()


def expire(session_key: str) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Session.objects.filter(pk=session_key).update(expire_date=past)


@pytest.mark.parametrize("end", [delete, expire])
async def test_every_connection_of_the_session_is_to_come_back(
    gateway: Gateway, alice: User, lobby: ChatRoom, browse: Browse, end: Callable[[str], None]
) -> None:
    """With whatever it was opened, and nobody who comes with that session is let in."""
    _, session_key = await browse(alice)
    async with (
        CentrifugePeer(cookie(session_key)) as one,
        with_token(of_session(alice, session_key)) as two,
        Peer("/ws/chat/lobby/", cookie(session_key)) as three,
    ):
        await gateway.database.run(end, session_key)
        assert await one.closed() == COME_BACK
        assert await two.closed() == COME_BACK
        assert await three.close_code() == COME_BACK[0]
    assert not await Peer("/ws/chat/lobby/", cookie(session_key)).connects()


async def test_other_sessions_stay(
    gateway: Gateway, alice: User, bob: User, browse: Browse
) -> None:
    """Those of the same user elsewhere, too, and tokens that were got with none."""
    _, session_key = await browse(alice)
    _, elsewhere = await browse(alice)
    _, his = await browse(bob)
    async with (
        CentrifugePeer(cookie(session_key)) as ended,
        CentrifugePeer(cookie(elsewhere)) as one,
        CentrifugePeer(cookie(his)) as two,
        with_token(of_session(alice, "")) as three,
    ):
        await gateway.database.run(delete, session_key)
        assert await ended.closed() == COME_BACK
        for peer in (one, two, three):
            assert "subscribe" in await peer.ask("subscribe", channel="poll:lunch")


def set_password(user: User) -> None:
    """Past `save`, which tells of it."""
    User.objects.filter(pk=user.pk).update(password=make_password("another one"))


async def test_new_password(gateway: Gateway, alice: User, bob: User, browse: Browse) -> None:
    """Whoever came with the old one comes back; others stay."""
    _, session_key = await browse(alice)
    _, his = await browse(bob)
    async with (
        CentrifugePeer(cookie(session_key)) as one,
        Peer("/ws/notifications/", cookie(session_key)) as two,
        CentrifugePeer(cookie(his)) as other,
    ):
        await gateway.database.run(set_password, alice)
        assert await one.closed() == COME_BACK
        assert await two.close_code() == COME_BACK[0]
        assert "subscribe" in await other.ask("subscribe", channel="poll:lunch")


async def test_revoked_key(gateway: Gateway, bob: User, key: ApiKey) -> None:
    """In a row alone."""
    token = sign_connection(bob.pk, 600, origin=Origin(key=key.pk))
    async with with_token(token) as peer:
        await gateway.database.run(set_password, bob)
        await gateway.database.run(
            ApiKey.objects.filter(pk=key.pk).update, revoked_at=timezone.now()
        )
        assert await peer.closed() == COME_BACK


async def test_session_that_is_back(
    gateway: Gateway, alice: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its table was empty for a moment, as in the middle of a restore."""
    _, session_key = await browse(alice)
    rounds = 0
    ended = logins._ended

    def empty_once(comers: Sequence[tuple[int, Login]]) -> list[Ended | None]:
        nonlocal rounds
        rounds += 1
        return [Ended.ORIGIN] * len(comers) if rounds == 1 else ended(comers)

    monkeypatch.setattr(logins, "_ended", empty_once)
    async with CentrifugePeer(cookie(session_key)) as peer:
        await eventually(lambda: rounds > 3)
        assert "subscribe" in await peer.ask("subscribe", channel="poll:lunch")


async def test_control_that_comes_late(
    gateway: Gateway, alice: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has signed out is told that, though it was found out before."""
    monkeypatch.setattr(logins, "_GRACE_SECONDS", 60.0)
    _, session_key = await browse(alice)
    async with CentrifugePeer(cookie(session_key)) as peer:
        await gateway.database.run(delete, session_key)
        await eventually(lambda: gateway.logins._suspects)
        await gateway.database.run(do_end_session, alice.pk, session_key)
        assert await peer.closed() == (4501, "signed out")


async def test_database_away(
    gateway: Gateway, alice: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an answer everybody stays; with the next one it goes on."""
    _, session_key = await browse(alice)
    database = AwayAtFirst()
    monkeypatch.setattr(gateway.logins, "_database", database)
    async with CentrifugePeer(cookie(session_key)) as peer:
        await gateway.database.run(delete, session_key)
        await eventually(lambda: database.asked > 2)
        assert "subscribe" in await peer.ask("subscribe", channel="poll:lunch")
        database.may_answer = True
        assert await peer.closed() == COME_BACK
    database.close()
