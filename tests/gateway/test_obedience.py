"""Controls that a gateway cannot obey, or may have missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from pytest_django import Settings

from services.gateway import obedience
from services.gateway.closecodes import CloseCode
from services.gateway.obedience import Obedience
from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.realtime import deployment
from shared.realtime.actions import do_control
from shared.realtime.controls import CONTROLS, Control, Disconnect
from shared.realtime.publish import publish
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import Peer, eventually
from tests.gateway.test_bans import CookieOf

pytestmark = pytest.mark.django_db(transaction=True)


class Recorder:
    """A connection that notes how it was ended."""

    login = None

    def __init__(self) -> None:
        self.ended: list[CloseCode] = []
        self.obeyed: list[Control] = []
        self.error: Exception | None = None

    def end(self, code: CloseCode) -> None:
        self.ended.append(code)

    def obey(self, control: Control) -> None:
        self.obeyed.append(control)
        if self.error is not None:
            raise self.error

    def permitted(self) -> Collection[str]:
        return ()

    def lose(self, channel: str) -> None:
        raise AssertionError("nobody loses anything here")

    def renew_user(self, user: AbstractUser) -> None:
        raise AssertionError("nobody is asked about here")


def head(gateway: Gateway) -> int:
    live = gateway.repair.hub.get(CONTROLS)
    return live.position.offset if live is not None and live.position is not None else -1


async def test_control_of_a_newer_version(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """Its user's connections come back and are judged anew; nobody else's are touched."""
    control = {"type": "confine", "user": str(alice.pk), "to": "the lobby"}
    async with (
        CentrifugePeer(cookie_of(alice)) as one,
        Peer("/ws/notifications/", cookie_of(alice)) as two,
        CentrifugePeer(cookie_of(bob)) as other,
    ):
        await gateway.database.run(publish, CONTROLS, control)
        assert await one.closed() == (3011, "force reconnect")
        assert await two.close_code() == 3011
        assert "history" in await other.ask("history", channel=f"user:{bob.pk}")


@pytest.mark.parametrize("control", [{"type": "confine"}, {"type": "disconnect", "user": 7}])
async def test_control_about_nobody_knows_whom(
    gateway: Gateway, alice: User, cookie_of: CookieOf, control: dict[str, Any]
) -> None:
    """It may be about anybody."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await gateway.database.run(publish, CONTROLS, control)
        assert (await peer.closed())[0] == 3011


async def test_missed_controls(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """After a restore, nobody knows what was heard: it may have been about all who are here."""
    async with (
        CentrifugePeer(cookie_of(alice)) as one,
        Peer("/ws/notifications/", cookie_of(bob)) as two,
    ):
        await eventually(lambda: head(gateway) >= 0)

        await gateway.database.run(deployment.renew)
        await gateway.database.run(do_control, Disconnect(user="987654", code=4000, reason="x"))
        assert (await one.closed())[0] == 3011
        assert await two.close_code() == 3011
        async with CentrifugePeer(cookie_of(alice)) as again:
            control = Disconnect(user=str(alice.pk), code=4000, reason="heard again")
            await gateway.database.run(do_control, control)
            assert await again.closed() == (4000, "heard again")


async def test_nobody_is_sent_away_at_the_start(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """Whoever was quicker than the first read of the stream has missed nothing."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await eventually(lambda: gateway.obedience._has_begun)
        assert "history" in await peer.ask("history", channel=f"user:{alice.pk}")


@asynccontextmanager
async def running(member: Obedience) -> AsyncIterator[None]:
    """Run what sends connections away, for a gateway that was not started."""
    task = asyncio.create_task(member._dismissals.run())
    try:
        yield
    finally:
        task.cancel()


async def test_mistake_in_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    """It goes, for it may be what was meant; the others obey, and the log has it once."""
    gateway = Gateway()
    here = [Recorder() for _ in range(5)]
    for each in here:
        gateway.revocations.add(7, each)
    here[1].error = here[3].error = ValueError("no such code")
    async with running(gateway.obedience):
        gateway.obedience.take({"type": "refresh", "user": "7"})
        await eventually(lambda: here[1].ended and here[3].ended)
    assert [len(each.obeyed) for each in here] == [1] * 5
    assert [each.ended for each in here[::2]] == [[]] * 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_many_are_sent_away_a_few_at_a_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many come back at once as of a gateway that is drained; each is told once."""
    settings.CARILLON_GATEWAY_DRAIN_SECONDS = 0.5
    monkeypatch.setattr(obedience, "_GRACE_SECONDS", 0.0)
    gateway = Gateway()
    here = [Recorder() for _ in range(1_000)]
    for index, each in enumerate(here):
        gateway.revocations.add(index % 300 or None, each)
    most = 0
    async with running(gateway.obedience):
        gateway.obedience.lose_place()
        before = 0
        while before < 1_000:
            await asyncio.sleep(0)
            gone = sum(len(each.ended) for each in here)
            most, before = max(most, gone - before), gone
    assert most == 100
    assert all(each.ended == [CloseCode.FORCE_RECONNECT] for each in here)
