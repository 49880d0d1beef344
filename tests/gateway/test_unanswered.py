"""Rechecks that fail: for whom, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import DataError, IntegrityError, OperationalError

from services.gateway import doubts, revocations
from services.gateway.centrifuge.client import Client
from services.gateway.database import DatabaseThreads
from services.gateway.doubts import Question
from services.gateway.rechecks import Revocable, recheck
from services.gateway.runtime import Gateway
from shared.accounts.actions import do_ban, do_recheck
from shared.accounts.models import User
from shared.realtime.namespaces import named
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import eventually

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]

# What the hook cannot say anything about, and what it says that nobody may hear anymore.
BAD, LOST = "poll:bad", "poll:lost"
FAILED = "A part of the gateway has failed"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_PAUSE_SECONDS", "_LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(doubts, name, 0.01)


class Hook:
    """A namespace's `can_subscribe_each`, which fails where it is asked about the bad channel."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.closed: set[str] = set()
        self.failed = 0

    def __call__(self, wanted: Sequence[tuple[AbstractUser, str]]) -> list[bool]:
        if self.error is not None and any(channel == BAD for _, channel in wanted):
            self.failed += 1
            raise self.error
        return [channel not in self.closed for _, channel in wanted]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Hook:
    made = Hook()
    monkeypatch.setattr(named("poll"), "can_subscribe_each", made)
    return made


async def lost(peer: CentrifugePeer) -> str:
    """Return the channel that a client is told next that it has lost."""
    push = await peer.push()
    assert push["unsubscribe"]["code"] == 2000
    return str(push["channel"])


@pytest.mark.parametrize("error", [DataError("out of range"), IntegrityError("no"), ValueError()])
async def test_error_of_a_channels_own(
    gateway: Gateway,
    hook: Hook,
    alice: User,
    bob: User,
    staff: User,
    cookie_of: CookieOf,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """It takes nothing from anybody, all others are answered, and bans go on."""
    async with CentrifugePeer(cookie_of(bob)) as his, CentrifugePeer(cookie_of(alice)) as hers:
        for channel in (BAD, LOST):
            assert "subscribe" in await his.ask("subscribe", channel=channel)
        hook.error = error
        hook.closed.add(LOST)
        await gateway.database.run(do_recheck, None)
        assert await lost(his) == LOST
        assert f"Permission for {BAD} could not be asked again." in caplog.text
        await gateway.database.run(do_ban, staff, alice, "spam")
        assert (await hers.closed())[0] == 4503
        assert await his.error("subscribe", channel=BAD) == 105
    assert FAILED not in caplog.text


async def test_channel_without_an_answer(
    gateway: Gateway,
    hook: Hook,
    alice: User,
    bob: User,
    cookie_of: CookieOf,
) -> None:
    """Whoever was asked about together with it is answered, and it is asked until it is, too."""
    async with CentrifugePeer(cookie_of(alice)) as hers, CentrifugePeer(cookie_of(bob)) as his:
        for peer, channels in ((hers, (BAD, LOST)), (his, (LOST,))):
            for channel in channels:
                assert "subscribe" in await peer.ask("subscribe", channel=channel)
        hook.closed.add(LOST)
        hook.error = OperationalError("canceling statement due to statement timeout")
        await gateway.database.run(do_recheck, None)
        assert await lost(hers) == await lost(his) == LOST
        before = hook.failed
        await eventually(lambda: hook.failed > before)
        hook.error = None
        hook.closed.add(BAD)
        assert await lost(hers) == BAD


async def test_recheck_that_fails_for_no_known_reason(
    gateway: Gateway,
    hook: Hook,
    bob: User,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged and made again, and the stream is heard on."""
    failures = 3

    async def failing(
        database: DatabaseThreads,
        connections: Mapping[int | None, Collection[Revocable]],
        questions: Sequence[Question],
    ) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise RuntimeError("nobody foresaw this")
        await recheck(database, connections, questions)

    monkeypatch.setattr(revocations, "recheck", failing)
    async with CentrifugePeer(cookie_of(bob)) as peer:
        assert "subscribe" in await peer.ask("subscribe", channel=LOST)
        hook.closed.add(LOST)
        await gateway.database.run(do_recheck, [bob.pk])
        assert await lost(peer) == LOST
    assert "A recheck has failed, and is made again." in caplog.text
    assert FAILED not in caplog.text


async def test_connection_that_cannot_be_told(
    gateway: Gateway,
    hook: Hook,
    bob: User,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is to come back, so that it hears nothing that is not for it; the others are told."""
    cookie = cookie_of(bob)
    async with CentrifugePeer(cookie) as failing, CentrifugePeer(cookie) as other:
        for peer in (failing, other):
            assert "subscribe" in await peer.ask("subscribe", channel=LOST)
        lose = Client.lose

        def lose_or_fail(client: Client, channel: str) -> None:
            if client.name == failing.welcome["client"]:
                raise RuntimeError("a mistake of ours")
            lose(client, channel)

        monkeypatch.setattr(Client, "lose", lose_or_fail)
        hook.closed.add(LOST)
        await gateway.database.run(do_recheck, [bob.pk])
        assert await failing.closed() == (3011, "force reconnect")
        assert await lost(other) == LOST
