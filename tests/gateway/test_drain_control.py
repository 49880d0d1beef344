"""A gateway that is drained through the log."""

from __future__ import annotations

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.realtime.actions import do_control
from shared.realtime.controls import CONTROLS, Drain
from shared.realtime.publish import publish
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import eventually
from tests.gateway.test_bans import CookieOf

pytestmark = pytest.mark.django_db(transaction=True)


async def test_only_the_process_that_is_meant(gateway: Gateway) -> None:
    """Neither another gateway nor a former process of the same name."""
    begun: list[bool] = []
    gateway.on_drain(lambda: begun.append(True), lambda: bool(begun))
    await eventually(lambda: gateway.obedience._has_begun)
    await gateway.database.run(do_control, Drain(gateway="another"))
    await gateway.database.run(do_control, Drain(gateway=gateway.presence.incarnation))
    await eventually(lambda: begun)
    assert begun == [True]


async def test_server_that_cannot(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """Another ASGI server knows no drain: it says so, and goes on."""
    await eventually(lambda: gateway.obedience._has_begun)
    await gateway.database.run(do_control, Drain(gateway=gateway.presence.incarnation))
    await eventually(lambda: "Told to drain, which" in caplog.text)


async def test_version_that_does_not_know_it(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """What a newer version wants of a gateway, said the same way, sends nobody away."""
    unknown = {"type": "repaint", "user": Drain(gateway="x").user, "gateway": "x"}
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await gateway.database.run(publish, CONTROLS, unknown)
        await eventually(lambda: _head(gateway) >= 1)
        assert "history" in await peer.ask("history", channel=f"user:{alice.pk}")


def _head(gateway: Gateway) -> int:
    live = gateway.repair.hub.get(CONTROLS)
    return live.position.offset if live is not None and live.position is not None else -1
