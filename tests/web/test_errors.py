"""What is refused or fails, is so in words: as a page for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import DatabaseError
from django.test import Client

from services.web.api import rooms as rooms_api
from services.web.pages import rooms
from shared.accounts.models import User

type SignIn = Callable[[User], Client]


def test_an_unknown_page_is_friendly(alice: User, signed_in: SignIn) -> None:
    """404 with a way on, for strangers and readers alike."""
    for browser in (Client(), signed_in(alice)):
        response = browser.get("/nowhere/<script>alert(1)</script>")
        assert response.status_code == 404
        assert b"Go to rooms" in response.content
        assert b"<script>alert" not in response.content


def test_an_unknown_endpoint_answers_in_the_apis_shape(db: None) -> None:
    """A program never has to read a page."""
    response = Client().get("/api/v1/nothing")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v1/session", "GET, HEAD"),
        ("/api/v1/announcements", "GET, HEAD, POST"),
        ("/api/v1/rooms/lobby/messages", "GET, HEAD, POST"),
        ("/api/v1/rooms/lobby/messages/1", "DELETE"),
    ],
)
def test_an_endpoint_names_the_methods_it_knows(
    path: str, allowed: str, alice: User, signed_in: SignIn
) -> None:
    """405 in the one shape, with the Allow header."""
    response = signed_in(alice).put(path)
    assert response.status_code == 405
    assert response.headers["Allow"] == allowed
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_an_old_form_is_explained(alice: User) -> None:
    """403 with what to do, and nothing is done."""
    browser = Client(enforce_csrf_checks=True)
    response = browser.post("/accounts/login/", {"username": "alice"})
    assert response.status_code == 403
    assert b"send the form again" in response.content


def test_a_foreign_host_is_refused(db: None) -> None:
    """400 as a page, without a traceback."""
    response = Client().get("/accounts/login/", headers={"Host": "evil.example.org"})
    assert response.status_code == 400
    assert b"could not understand" in response.content


def test_a_failing_database_gives_a_page_without_it(
    alice: User, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 in words, as a page and as JSON; nothing of the failure shows."""

    def fail(*args: object, **kwargs: object) -> None:
        raise DatabaseError("secret detail")

    browser = signed_in(alice)
    browser.raise_request_exception = False
    monkeypatch.setattr(rooms, "rooms_for", fail)
    monkeypatch.setattr(rooms_api, "rooms_open_to", fail)
    page = browser.get("/rooms/")
    assert page.status_code == 500
    assert b"Something went wrong on our side" in page.content
    answer = browser.get("/api/v1/rooms")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "server_error"
    assert b"secret detail" not in page.content + answer.content
