from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from cent import Client
from pytest_django.live_server_helper import LiveServer

from shared.accounts.actions import do_make_key
from shared.accounts.keys import Scope
from shared.accounts.models import ApiKey, User
from shared.realtime import controls, namespaces
from shared.realtime.history import history
from shared.realtime.namespaces import Namespace
from tests.shared.conftest import rings

__all__ = ["rings"]

SERVER_SCOPES = [scope for scope in Scope if scope.startswith("server:")]


class Feed(Namespace):
    """Written by servers, and kept."""

    name = "feed"
    history_size = 100
    presence = True
    server_can_publish = True


class Flash(Namespace):
    """Written by servers, and kept nowhere."""

    name = "flash"
    server_can_publish = True


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespaces above, for one test."""
    monkeypatch.setattr(namespaces, "_registry", dict(namespaces._registry))
    for each in (Feed, Flash):
        namespaces.register(each)


type MakeKey = Callable[..., tuple[ApiKey, str]]


@pytest.fixture
def make_key(staff: User) -> MakeKey:
    """Make a server's key for some scopes, all of the server API without any; and its text."""

    def make(*scopes: Scope, only: tuple[str, ...] = ()) -> tuple[ApiKey, str]:
        return do_make_key(staff, staff, "a server", scopes or SERVER_SCOPES, only)

    return make


@pytest.fixture
def key(make_key: MakeKey) -> str:
    """The text of a key for everything."""
    return make_key()[1]


@pytest.fixture
def url(live_server: LiveServer) -> str:
    return f"{live_server.url}/api"


@pytest.fixture
def server(url: str, key: str) -> Iterator[Client]:
    """The client library, unmodified, with a key for everything."""
    with Client(url, key) as client:
        yield client


class Wire:
    """Speaks plain HTTP to the server API."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def post(self, method: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(method, json={} if body is None else body, headers=named)

    def raw(self, method: str, body: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(method, content=body, headers=named)

    def result(self, method: str, body: Any = None) -> Any:
        """Return the result of a request that succeeds."""
        answer = self.post(method, body)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert list(answer.json()) == ["result"], answer.text
        return answer.json()["result"]

    def error(self, method: str, body: Any = None) -> int:
        """Return the code of a request that is refused in the usual way."""
        answer = self.post(method, body)
        assert answer.status_code == 200
        assert list(answer.json()) == ["error"], answer.text
        error = answer.json()["error"]
        assert set(error) == {"code", "message"}
        assert error["message"]
        return int(error["code"])


type Opened = Callable[..., Wire]


@pytest.fixture
def opened(url: str, make_key: MakeKey) -> Iterator[Opened]:
    """Return the server API as plain HTTP has it, with a key for some scopes or namespaces."""
    clients: list[httpx.Client] = []

    def open_it(*scopes: Scope, only: tuple[str, ...] = ()) -> Wire:
        headers = {"X-API-Key": make_key(*scopes, only=only)[1]}
        # A busy machine takes its time for a batch of a thousand.
        clients.append(httpx.Client(base_url=url, headers=headers, timeout=60))
        return Wire(clients[-1])

    yield open_it
    for client in clients:
        client.close()


@pytest.fixture
def wire(opened: Opened) -> Wire:
    """Plain HTTP, with a key for everything."""
    return opened()


def heard_controls() -> list[controls.Control]:
    """Return what gateways were told, in order."""
    page = history(controls.CONTROLS).publications
    return [controls.decode(each.data) for each in page]


def said(channel: str) -> list[Any]:
    """Return the data that the log keeps of a channel, in order."""
    return [json.loads(each.data) for each in history(channel).publications]


def bare(answer: httpx.Response, status: int, code: int) -> None:
    """Make sure of an answer that is a status, and the error alone."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"code", "message"}
    assert answer.json()["code"] == code
    assert answer.json()["message"]
