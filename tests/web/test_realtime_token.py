"""`/api/v1/realtime/token`: what a client's SDK asks for when it needs a token."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.test import Client
from prometheus_client import REGISTRY
from pytest_django import Settings

from shared.accounts.actions import do_deactivate, do_make_key, do_revoke_key
from shared.accounts.keys import Scope
from shared.accounts.models import ApiKey, User
from shared.chat.models import ChatRoom
from shared.realtime.namespaces import named
from shared.tokens.exceptions import InvalidToken
from shared.tokens.grants import ConnectionToken, Origin, SubscriptionToken
from shared.tokens.verification import verify_connection, verify_subscription

type SignIn = Callable[[User], Client]

PATH = "/api/v1/realtime/token"


def ask(client: Client, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """POST with a body as JSON, or with none, and then without its type."""
    if body is None:
        return client.generic("POST", PATH, b"", content_type="", headers=headers)
    return client.post(PATH, body, "application/json", headers=headers)


def connection(response: Any) -> ConnectionToken:
    assert response.status_code == 200, response.content
    assert list(response.json()) == ["token"]
    return verify_connection(response.json()["token"], time.time())


def counted(result: str) -> float:
    return REGISTRY.get_sample_value("carillon_tokens_issued_total", {"result": result}) or 0.0


def subscription(response: Any, channel: str, user: User) -> SubscriptionToken:
    assert response.status_code == 200, response.content
    return verify_subscription(response.json()["token"], channel, str(user.pk), "c", time.time())


@pytest.fixture
def make_key(staff: User) -> Callable[..., tuple[ApiKey, str]]:
    """Make a key of a user for the scopes; return it and its text."""
    return lambda user, *scopes: do_make_key(staff, user, "a bot", scopes)


def test_a_token_to_connect_with(alice: User, signed_in: SignIn, settings: Settings) -> None:
    """For whoever is signed in, for as long as the settings say."""
    settings.CARILLON_TOKEN_LIFETIME_SECONDS = 120
    response = ask(signed_in(alice))
    found = connection(response)
    assert (found.user, found.issued_here, found.subs) == (str(alice.pk), True, {})
    assert found.expire_at is not None
    assert 100 < found.expire_at - time.time() <= 120
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize("body", [{}, {"channel": None}])
def test_what_an_sdk_gives_to_its_callback_may_be_the_body(
    body: Any, alice: User, signed_in: SignIn
) -> None:
    """An empty object is the wish to connect, as no body is."""
    assert connection(ask(signed_in(alice), body)).user == str(alice.pk)


def test_no_body_of_any_kind(alice: User, signed_in: SignIn) -> None:
    """A form without fields, as curl sends it, is no body either."""
    kind = "application/x-www-form-urlencoded"
    assert connection(signed_in(alice).post(PATH, b"", kind)).user == str(alice.pk)


def test_a_token_to_subscribe_with(alice: User, lobby: ChatRoom, signed_in: SignIn) -> None:
    """For one channel that the user may hear, and no connection."""
    response = ask(signed_in(alice), {"channel": "chat:lobby"})
    found = subscription(response, "chat:lobby", alice)
    assert (found.user, found.channel, found.issued_here) == (str(alice.pk), "chat:lobby", True)
    assert found.expire_at is not None
    with pytest.raises(InvalidToken):
        verify_connection(response.json()["token"], time.time())


def test_a_private_channel(alice: User, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of any other, where the namespace has such channels and the user may hear this one."""
    refused = ask(signed_in(alice), {"channel": "$poll:lunch"})
    assert refused.json()["error"]["code"] == "forbidden"
    monkeypatch.setattr(named("poll"), "private_channels", True)
    response = ask(signed_in(alice), {"channel": "$poll:lunch"})
    assert subscription(response, "$poll:lunch", alice).issued_here


@pytest.mark.parametrize(
    "channel", ["chat:backroom", "chat:nowhere", "user:999999", "nothing:x", "revocations:all"]
)
def test_channels_that_are_not_for_them(
    channel: str, bob: User, backroom: ChatRoom, signed_in: SignIn
) -> None:
    """A closed room, none at all, no namespace, what nobody may hear: the same answer."""
    response = ask(signed_in(bob), {"channel": channel})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "forbidden"
    assert response.content == ask(signed_in(bob), {"channel": "chat:elsewhere"}).content


def test_what_came_of_it_is_counted(bob: User, backroom: ChatRoom, signed_in: SignIn) -> None:
    """Tokens that were made, and those that were refused."""
    issued, refused = counted("issued"), counted("refused")
    client = signed_in(bob)
    ask(client)
    ask(client, {"channel": f"user:{bob.pk}"})
    ask(client, {"channel": "chat:backroom"})
    assert (counted("issued") - issued, counted("refused") - refused) == (2, 1)


@pytest.mark.parametrize("channel", ["", "lobby", "chat:", "chat:a b", "chat:ü", "chat:a\n"])
def test_names_that_no_channel_has(channel: str, alice: User, signed_in: SignIn) -> None:
    """400, naming the part at fault."""
    response = ask(signed_in(alice), {"channel": channel})
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["channel"]


@pytest.mark.parametrize("body", ["null", "[]", '"x"', '{"chanel":"a"}', '{"channel":1}', "{"])
def test_other_bodies(body: str, alice: User, signed_in: SignIn) -> None:
    """What is no wish is an error, so that a misspelt one is not lost; null is none."""
    response = signed_in(alice).post(PATH, body, "application/json")
    assert response.status_code == (200 if body == "null" else 400)


def test_a_body_of_another_kind(alice: User, signed_in: SignIn) -> None:
    """What is sent is JSON, or nothing is sent."""
    browser = signed_in(alice)
    assert browser.post(PATH, b"channel=x", "text/plain").status_code == 415
    long = json.dumps({"channel": "x" * 1024 * 1024})
    assert browser.post(PATH, long, "application/json").status_code == 413


def test_strangers(db: None) -> None:
    """401: there is no token for nobody."""
    response = ask(Client())
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "unauthenticated"


def test_a_browser_sends_the_pages_token(alice: User, lobby: ChatRoom) -> None:
    """Another site's page cannot have a token made."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    refused = ask(browser)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "csrf"
    token = str(browser.get("/rooms/lobby/").context["csrf_token"])
    assert connection(ask(browser, headers={"X-CSRFToken": token})).user == str(alice.pk)


def test_a_server_connects_as_its_keys_user(
    bob: User, staff: User, make_key: Callable[..., tuple[ApiKey, str]]
) -> None:
    """With the scope for it, without a CSRF token; not with another, nor after its end."""
    key, text = make_key(bob, Scope.REALTIME_TOKEN)
    server = {"Authorization": f"Bearer {text}"}
    found = connection(ask(Client(enforce_csrf_checks=True), headers=server))
    assert (found.user, found.origin) == (str(bob.pk), Origin(key=key.pk))
    _, other = make_key(bob, Scope.ROOMS_READ)
    refused = ask(Client(), headers={"X-API-Key": other})
    assert refused.status_code == 403
    assert "realtime:token" in refused.json()["error"]["message"]
    do_revoke_key(staff, key)
    assert ask(Client(), headers=server).status_code == 401


def test_a_token_says_which_session_it_is_from(alice: User, signed_in: SignIn) -> None:
    """So that it ends with the session, whose key nobody can read in it."""
    browser = signed_in(alice)
    response = ask(browser)
    key = browser.session.session_key
    assert key is not None
    assert connection(response).origin == Origin(session_key=key)
    assert key not in response.content.decode()


def test_a_deactivated_user_gets_none(alice: User, staff: User, signed_in: SignIn) -> None:
    """From the next request on."""
    browser = signed_in(alice)
    assert ask(browser).status_code == 200
    do_deactivate(staff, alice)
    assert ask(browser).status_code == 401


def test_tokens_are_rationed(alice: User, signed_in: SignIn, settings: Settings) -> None:
    """As other writes are: 429 says when there will be one again."""
    settings.CARILLON_API_WRITES_PER_MINUTE = 3
    browser = signed_in(alice)
    assert [ask(browser).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert int(ask(browser).headers["Retry-After"]) >= 1


def test_other_methods(alice: User, signed_in: SignIn) -> None:
    """A token is made by POST, never by an address that a page could link to."""
    response = signed_in(alice).get(PATH)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
