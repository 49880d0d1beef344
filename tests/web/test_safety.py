"""What holds for every address: reading does not write, writing takes a token, scripts are ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from shared.accounts.models import User
from shared.chat.actions import do_send_message
from shared.chat.models import ChatRoom
from tests.web.addresses import all_paths

type SignIn = Callable[[User], Client]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements that change something."""
    found: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.split(None, 1)[0].upper() in {"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"}:
            found.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield found


class InlineFinder(HTMLParser):
    """Collects what a strict policy would not run: inline scripts, styles and handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and "src" not in values and values.get("type") != "application/json":
            self.inline.append(tag)
        if tag == "style" or "style" in values:
            self.inline.append(f"{tag} style")
        self.inline += [f"{tag} {name}" for name in values if name.startswith("on")]


def test_the_resolver_is_walked() -> None:
    """The tests below see pages, API and admin alike."""
    paths = all_paths()
    assert {"/", "/rooms/lobby/", "/api/v1/rooms/lobby/messages/1", "/admin/chat/message/"} <= set(
        paths
    )


@pytest.mark.thorough
@pytest.mark.parametrize("path", all_paths())
def test_get_never_writes(path: str, staff: User, lobby: ChatRoom, signed_in: SignIn) -> None:
    """GET on any address, by somebody who may see everything, changes no row; none fails."""
    do_send_message(staff, "lobby", "hello")
    for browser in (signed_in(staff), Client()):
        with statements() as written:
            response = browser.get(path)
        assert written == []
        assert response.status_code < 500


@pytest.mark.thorough
@pytest.mark.parametrize("path", all_paths())
def test_nothing_is_written_without_a_csrf_token(path: str, staff: User, lobby: ChatRoom) -> None:
    """Another site's form is refused before it is read, whatever the address."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(staff)
    for method in ("post", "put", "patch", "delete"):
        with statements() as written:
            response = getattr(browser, method)(path, {"name": "forged"})
        assert response.status_code in {401, 403, 404, 405}, method
        assert written == [], method


PAGES = [
    "/rooms/",
    "/rooms/lobby/",
    "/feed/",
    "/people/root/",
    "/inbox/",
    "/accounts/settings/",
    "/accounts/notifications/",
    "/staff/announce/",
    "/staff/system-message/",
    "/admin/",
    "/admin/chat/chatroom/add/",
    "/nowhere/",
]


@pytest.mark.parametrize("path", PAGES)
def test_pages_carry_a_strict_policy_and_need_no_exception(
    path: str, staff: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """Scripts and styles come from files of this site alone."""
    response = signed_in(staff).get(path)
    policy = dict(
        part.strip().split(" ", 1)
        for part in response.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == "'none'"
    assert policy["connect-src"] == "'self' ws://testserver ws://127.0.0.1:8000"
    assert policy["form-action"] == "'self'"
    finder = InlineFinder()
    finder.feed(response.content.decode())
    assert finder.inline == []


def test_pages_of_a_user_are_not_kept_by_browsers(
    alice: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """The Back button after signing out on a shared computer shows nothing."""
    for path in ("/rooms/", "/rooms/lobby/", "/inbox/", "/accounts/settings/", "/api/v1/session"):
        assert "no-store" in signed_in(alice).get(path).headers["Cache-Control"]
