"""What ends with a session, a password or an API key, and what does not."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.conf import LazySettings, settings
from django.test import Client

from services.gateway.arrivals import Arrivals
from services.gateway.database import DatabaseAway
from services.gateway.runtime import Gateway
from shared.accounts.actions import do_ban, do_make_key, do_revoke_key
from shared.accounts.keys import Scope
from shared.accounts.models import ApiKey, User
from shared.tokens.grants import Origin
from shared.tokens.signing import sign_connection
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import Peer
from tests.shared.tokens import makers

type Browser = tuple[Client, str]
type Browse = Callable[[User], Awaitable[Browser]]


@pytest.fixture
def browse(gateway: Gateway, signed_in: Callable[[User], Client]) -> Browse:
    """Sign a user in, in a browser of its own; return it and its session's key."""

    def browser(user: User) -> Browser:
        client = signed_in(user)
        return client, client.cookies[settings.SESSION_COOKIE_NAME].value

    return lambda user: gateway.database.run(browser, user)


@pytest.fixture
async def key(gateway: Gateway, bob: User, staff: User) -> ApiKey:
    """Bob's API key, for tokens."""
    made, _ = await gateway.database.run(do_make_key, staff, bob, "bot", [Scope.REALTIME_TOKEN])
    return made


def cookie(session_key: str) -> str:
    return f"{settings.SESSION_COOKIE_NAME}={session_key}"


def of_session(user: User, session_key: str) -> str:
    return sign_connection(user.pk, 600, origin=Origin(session_key=session_key))


def with_token(token: str) -> CentrifugePeer:
    return CentrifugePeer(origin=None, connect={"token": token})


async def refusal(token: str) -> int:
    """Return the error that a token is refused with."""
    peer = CentrifugePeer(origin=None)
    await peer.opens()
    code = await peer.error("connect", token=token)
    assert (await peer.closed())[0] == 3000
    return code


async def ending(peer: CentrifugePeer, **request: Any) -> int:
    """Return the code that a connection ends with instead of being let in."""
    await peer.opens()
    await peer.send(peer.command("connect", **request))
    return (await peer.closed())[0]


def change_password(user: User) -> None:
    user.set_password("a long new one")
    user.save()


async def test_signed_out_session_lets_no_token_in(
    gateway: Gateway, alice: User, browse: Browse
) -> None:
    """What was got with it ends with it; the library fetches another, which it will not get."""
    browser, session_key = await browse(alice)
    _, elsewhere = await browse(alice)
    token = of_session(alice, session_key)
    async with with_token(token) as peer:
        await gateway.database.run(browser.logout)
        assert await peer.closed() == (4501, "signed out")
    assert await refusal(token) == 109
    async with with_token(of_session(alice, elsewhere)):
        pass


async def test_session_that_is_gone_without_a_word(
    gateway: Gateway, alice: User, browse: Browse
) -> None:
    """Deleted past all doors, as by a clean-up: it is asked for, not remembered."""
    browser, session_key = await browse(alice)
    await gateway.database.run(browser.session.delete, session_key)
    assert await refusal(of_session(alice, session_key)) == 109


async def test_session_of_somebody_else(
    gateway: Gateway, alice: User, bob: User, browse: Browse
) -> None:
    """A token that names one session and another user counts for nobody."""
    _, session_key = await browse(bob)
    assert await refusal(of_session(alice, session_key)) == 109


async def test_new_password_ends_older_tokens(
    gateway: Gateway, alice: User, bob: User, key: ApiKey, browse: Browse
) -> None:
    """Of sessions, and those that were got with nothing; not of a key, nor those made since."""
    _, session_key = await browse(bob)
    bare, by_key = sign_connection(bob.pk, 600), Origin(key=key.pk)
    async with with_token(bare) as peer:
        await gateway.database.run(change_password, bob)
        assert await peer.closed() == (3011, "force reconnect")
    assert await refusal(bare) == 109
    assert await refusal(of_session(bob, session_key)) == 109
    for token in (sign_connection(bob.pk, 600, origin=by_key), sign_connection(bob.pk, 600)):
        async with with_token(token):
            pass
    async with with_token(sign_connection(alice.pk, 600, now=time.time() - 60)):
        pass


async def test_new_password_leaves_other_servers_tokens(
    gateway: Gateway, alice: User, settings: LazySettings
) -> None:
    """They know nothing of our passwords, and their clocks are not ours."""
    settings.CARILLON_TOKEN_SECRETS = [makers.SECRET]
    soon = int(time.time()) + 60
    token = makers.token(sub=str(alice.pk), exp=soon, iat=soon - 3_600, origin={"key": 7})
    await gateway.database.run(change_password, alice)
    async with with_token(token):
        pass


async def test_revoked_key(
    gateway: Gateway, bob: User, staff: User, key: ApiKey, browse: Browse
) -> None:
    """Connections that its tokens have opened end for good, and they open no other."""
    token = sign_connection(bob.pk, 600, origin=Origin(key=key.pk))
    _, session_key = await browse(bob)
    async with with_token(token) as peer, CentrifugePeer(cookie(session_key)) as his:
        await gateway.database.run(do_revoke_key, staff, key)
        assert await peer.closed() == (3500, "key revoked")
        assert await refusal(token) == 109
        assert "history" in await his.ask("history", channel=f"user:{bob.pk}")


async def test_token_of_a_suspended_users_session(
    gateway: Gateway, alice: User, bob: User, staff: User, key: ApiKey, browse: Browse
) -> None:
    """That the account is suspended is said, whatever the token was got with."""
    _, session_key = await browse(bob)
    await gateway.database.run(do_ban, staff, bob, "spam")
    for token in (
        of_session(bob, session_key),
        sign_connection(bob.pk, 600, origin=Origin(key=key.pk)),
    ):
        assert await ending(with_token(token), token=token) == 4503


async def test_refresh_goes_on_with_the_new_tokens_session(
    gateway: Gateway, alice: User, browse: Browse
) -> None:
    """It is the new one that the connection ends with."""
    here, first = await browse(alice)
    there, second = await browse(alice)
    async with with_token(of_session(alice, first)) as peer:
        await peer.ask("refresh", token=of_session(alice, second))
        await gateway.database.run(here.logout)
        assert "history" in await peer.ask("history", channel=f"user:{alice.pk}")
        await gateway.database.run(there.logout)
        assert await peer.closed() == (4501, "signed out")


async def test_refresh_with_a_token_that_ended_early(
    gateway: Gateway, alice: User, browse: Browse
) -> None:
    """As with an expired one: the library comes back, and is told to fetch another."""
    browser, session_key = await browse(alice)
    await gateway.database.run(browser.logout)
    async with with_token(sign_connection(alice.pk, 600)) as peer:
        await peer.send(peer.command("refresh", token=of_session(alice, session_key)))
        assert await peer.closed() == (3005, "connection expired")


async def test_refresh_that_cannot_be_judged_changes_nothing(
    gateway: Gateway, alice: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the session that it came with, and not with the other."""
    here, first = await browse(alice)
    there, second = await browse(alice)

    async def away(arrivals: Arrivals, session_key: str) -> Any:
        raise DatabaseAway("just now")

    async with with_token(of_session(alice, first)) as peer:
        with monkeypatch.context() as patched:
            patched.setattr(Arrivals, "user", away)
            assert await peer.error("refresh", token=of_session(alice, second)) == 100
        await gateway.database.run(there.logout)
        assert "history" in await peer.ask("history", channel=f"user:{alice.pk}")
        await gateway.database.run(here.logout)
        assert await peer.closed() == (4501, "signed out")


class Between:
    """Has something happen, and be told, after it was read who comes and before that is noted."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, witness: CentrifugePeer, happen: Awaitable[Any]
    ) -> None:
        self._read, self._witness, self._happen = Arrivals.user, witness, happen
        self.told = 0
        monkeypatch.setattr(Arrivals, "user", lambda arrivals, key: self._user(arrivals, key))

    async def _user(self, arrivals: Arrivals, session_key: str) -> Any:
        found = await self._read(arrivals, session_key)
        if not self.told:
            await self._happen
            # Where it was told to this one, whoever comes later has missed it.
            self.told, _ = await self._witness.closed()
        return found


@pytest.mark.parametrize("by_token", [False, True])
async def test_signing_out_while_connecting(
    gateway: Gateway,
    alice: User,
    browse: Browse,
    monkeypatch: pytest.MonkeyPatch,
    by_token: bool,
) -> None:
    """The session was there when it was read: it is asked for again when its end would be heard."""
    browser, session_key = await browse(alice)
    async with CentrifugePeer(cookie(session_key)) as witness:
        between = Between(monkeypatch, witness, gateway.database.run(browser.logout))
        if by_token:
            assert await refusal(of_session(alice, session_key)) == 109
        else:
            assert await ending(CentrifugePeer(cookie(session_key))) == 4501
        assert between.told == 4501


async def test_new_password_while_connecting(
    gateway: Gateway, alice: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back, and says again who it is."""
    _, session_key = await browse(alice)
    async with CentrifugePeer(cookie(session_key)) as witness:
        between = Between(monkeypatch, witness, gateway.database.run(change_password, alice))
        assert await ending(CentrifugePeer(cookie(session_key))) == 3011
        assert between.told == 3011


async def test_signing_out_while_a_plain_connection_opens(
    gateway: Gateway, alice: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handshake is refused."""
    browser, session_key = await browse(alice)
    async with CentrifugePeer(cookie(session_key)) as witness:
        between = Between(monkeypatch, witness, gateway.database.run(browser.logout))
        assert not await Peer("/ws/notifications/", cookie(session_key)).connects()
        assert between.told == 4501
