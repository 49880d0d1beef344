"""Sessions in the test kit: who comes with one comes back for as long as it is theirs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth import update_session_auth_hash
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from services.gateway.runtime import Gateway
from shared.accounts.actions import do_ban
from shared.accounts.models import User
from shared.testing import Disconnected, RealtimeClient
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.conftest import cookie_of, gateway

__all__ = ["cookie_of", "gateway"]

type SignedIn = Callable[[User], Client]


def key_of(browser: Client) -> str:
    key = browser.session.session_key
    assert key is not None
    return key


def code(come: Callable[[], object]) -> int:
    """Return with what a client is turned away, 0 where it is let in."""
    try:
        come()
    except Disconnected as end:
        return end.code
    return 0


@pytest.mark.django_db
class TestSessions:
    def test_signed_out(self, alice: User, signed_in: SignedIn) -> None:
        """Who signs out is not let in again; with another session they are."""
        browser = signed_in(alice)
        client = RealtimeClient(alice, session_key=key_of(browser))
        assert code(client.reconnect) == 0
        browser.logout()
        assert client.disconnected is not None
        assert code(client.reconnect) == 3501
        assert client.disconnected is not None
        assert client.disconnected.code == 3501
        assert code(lambda: RealtimeClient(alice, session_key=key_of(signed_in(alice)))) == 0

    def test_gone_without_a_word(self, alice: User, signed_in: SignedIn) -> None:
        """Nothing tells the kit of it, and the client is not let in again."""
        client = RealtimeClient(alice, session_key=key_of(signed_in(alice)))
        Session.objects.all().delete()
        assert client.disconnected is None
        assert code(client.reconnect) == 3501

    @pytest.mark.parametrize("key", ["nonsense", "x" * 32, "\0"])
    def test_no_session_at_all(self, alice: User, key: str) -> None:
        """It lets nobody in."""
        assert code(lambda: RealtimeClient(alice, session_key=key)) == 3501

    def test_somebody_elses(self, alice: User, bob: User, signed_in: SignedIn) -> None:
        """It does not let in who has taken it."""
        key = key_of(signed_in(bob))
        assert code(lambda: RealtimeClient(alice, session_key=key)) == 3501

    def test_new_password(
        self,
        alice: User,
        signed_in: SignedIn,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        """Only the session in which it was changed goes on, if the page has seen to that."""
        here, elsewhere = (
            RealtimeClient(alice, session_key=key_of(signed_in(alice))) for _ in range(2)
        )
        request = HttpRequest()
        browser = signed_in(alice)
        request.session, request.user = browser.session, alice
        alice.set_password("another one")
        with django_capture_on_commit_callbacks(execute=True):
            alice.save()
        update_session_auth_hash(request, alice)
        request.session.save()
        assert here.disconnected is not None
        assert not here.disconnected.is_terminal
        for client in (here, elsewhere):
            assert code(client.reconnect) == 3501
        key = str(request.session.session_key)
        assert code(lambda: RealtimeClient(alice, session_key=key)) == 0


@pytest.mark.parametrize("end", ["session", "ban"])
@pytest.mark.django_db(transaction=True)
async def test_as_the_gateway_does(
    gateway: Gateway, bob: User, staff: User, cookie_of: Callable[[User], str], end: str
) -> None:
    """A session that has ended, and one of somebody who is suspended, let nobody in."""
    run, cookie = gateway.database.run, cookie_of(bob)
    key = cookie.partition("=")[2]
    client = await run(lambda: RealtimeClient(bob, session_key=key))
    if end == "session":
        await run(Session.objects.filter(session_key=key).delete)
    else:
        await run(do_ban, staff, bob, "spam")
    peer = CentrifugePeer(cookie)
    assert (await peer.opens())[0]
    await peer.send(peer.command("connect"))
    assert (await peer.closed())[0] == await run(code, client.reconnect) == 3501
