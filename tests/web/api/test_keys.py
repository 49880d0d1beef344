"""Who asks: a session with a CSRF token, or a key within its scopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from prometheus_client import REGISTRY

from shared.accounts.actions import do_deactivate, do_revoke_key
from shared.accounts.keys import Scope
from shared.accounts.models import ApiKey, User
from shared.chat.models import ChatRoom, Message
from shared.posts.models import Post
from tests.web.api.conftest import Api, Browser, Server

type MakeKey = Callable[..., tuple[ApiKey, str]]

POST = {"title": "Lunch on Friday"}


def failures(method: str) -> float:
    return REGISTRY.get_sample_value("carillon_auth_failures_total", {"method": method}) or 0.0


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_key_acts_as_its_user(header: str, alice: User, make_key: MakeKey) -> None:
    """In either header, without a session and without a CSRF token."""
    _, text = make_key(alice, Scope.POSTS_WRITE)
    value = f"Bearer {text}" if header == "Authorization" else text
    api = Api(Client(enforce_csrf_checks=True), **{header: value})
    assert api.get("session").json()["user"]["username"] == "alice"
    assert api.post("posts", POST).status_code == 201
    assert Post.objects.get().author == alice


def test_a_key_does_what_its_scopes_say_and_no_more(alice: User, server: Server) -> None:
    """403 names the scope that is missing, and nothing is done."""
    api = server(alice, Scope.POSTS_READ)
    assert api.get("posts").status_code == 200
    refused = api.post("posts", POST)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "missing_scope"
    assert "posts:write" in refused.json()["error"]["message"]
    assert not Post.objects.exists()


def test_a_revoked_key_stops_at_the_next_request(
    alice: User, staff: User, make_key: MakeKey
) -> None:
    """It worked, it is revoked, it is nobody's."""
    key, text = make_key(alice)
    api = Api(Client(), Authorization=f"Bearer {text}")
    assert api.post("posts", POST).status_code == 201
    do_revoke_key(staff, key)
    before = failures("key")
    refused = api.post("posts", POST)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert failures("key") == before + 1
    assert Post.objects.count() == 1


def test_a_key_ends_with_its_users_account(alice: User, staff: User, server: Server) -> None:
    """A deactivated user's servers are out as well."""
    api = server(alice)
    do_deactivate(staff, alice)
    assert api.get("session").status_code == 401


@pytest.mark.parametrize(
    "text", ["", "x", "ck_" + "a" * 53, "ck_" + "é" * 53, "ck_" + "a" * 100_000, "null"]
)
def test_a_wrong_key_is_nobodys_even_with_a_session(
    text: str, alice: User, signed_in: Callable[[User], Client]
) -> None:
    """401: whoever shows a key stands on it alone, and cookies count for nothing."""
    browser = signed_in(alice)
    for headers in ({"Authorization": f"Bearer {text}"}, {"X-API-Key": text}):
        response = browser.get("/api/v1/session", headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "unauthenticated"


def test_a_key_wins_over_a_session(alice: User, bob: User, make_key: MakeKey) -> None:
    """The request is bob's, although alice is signed in, and it reads no session."""
    _, text = make_key(bob)
    browser = Client()
    browser.force_login(alice)
    answer = browser.get("/api/v1/session", headers={"Authorization": f"Bearer {text}"})
    assert answer.json()["user"]["username"] == "bob"
    assert answer.cookies == {}


def test_another_scheme_is_not_a_key(alice: User, signed_in: Callable[[User], Client]) -> None:
    """A proxy's Basic credentials do not sign anybody out."""
    answer = signed_in(alice).get("/api/v1/session", headers={"Authorization": "Basic YTpi"})
    assert answer.status_code == 200


def test_a_session_writes_with_the_pages_token(alice: User, lobby: ChatRoom) -> None:
    """403 without it or with another one, 201 with it; reading takes none."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    token = str(browser.get("/rooms/lobby/").context["csrf_token"])

    def post(**headers: str) -> Any:
        return browser.post("/api/v1/posts", POST, "application/json", headers=headers)

    before = failures("csrf")
    for refused in (post(), post(**{"X-CSRFToken": "x" * 64})):
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "csrf"
    assert failures("csrf") == before + 2
    assert not Post.objects.exists()
    assert browser.get("/api/v1/posts").status_code == 200
    assert post(**{"X-CSRFToken": token}).status_code == 201


def test_a_foreign_origin_is_refused_with_the_token(alice: User, lobby: ChatRoom) -> None:
    """The header alone is not enough, as for pages."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    token = str(browser.get("/rooms/lobby/").context["csrf_token"])
    headers = {"X-CSRFToken": token, "Origin": "https://evil.example.org"}
    response = browser.post("/api/v1/posts", POST, "application/json", headers=headers)
    assert response.status_code == 403
    assert not Post.objects.exists()


def test_strangers_are_counted(db: None) -> None:
    """401 in the one shape, on every operation, whatever they send."""
    before = failures("session")
    for path in ("posts", "rooms/lobby/messages", "bulk-jobs/1/start"):
        response = Client().post(f"/api/v1/{path}", b"\xff", "application/json")
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "unauthenticated"
    assert failures("session") == before + 3


def test_a_server_talks_in_a_room(
    alice: User, lobby: ChatRoom, server: Server, browser: Browser
) -> None:
    """What a key's user says, others read; the same client_id again is the same message."""
    api = server(alice, Scope.MESSAGES_WRITE)
    said = {"message": "Deployed.", "client_id": "build-17"}
    first, again = (api.post("rooms/lobby/messages", said) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Message.objects.get().content == "Deployed."
    clash = api.post("rooms/lobby/messages", {**said, "message": "Other."})
    assert clash.status_code == 409
    assert list(clash.json()["error"]["fields"]) == ["client_id"]
    assert browser(alice).get("rooms/lobby/messages").json()["messages"] == [first.json()]
