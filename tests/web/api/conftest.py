from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from shared.accounts.actions import do_make_key
from shared.accounts.keys import Scope
from shared.accounts.models import ApiKey, User


class Api:
    """Speaks JSON to the API, as a browser with a session or as a server with a key."""

    def __init__(self, client: Client, **headers: str) -> None:
        self.client = client
        self._headers = headers

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query, headers=self._headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("post", path, body, headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("put", path, body, headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self._send("delete", path, None, headers)

    def stream(self, path: str, body: bytes, content_type: str, **headers: str) -> Any:
        """POST bytes as they are."""
        return self.client.post(
            f"/api/v1/{path}", body, content_type, headers={**self._headers, **headers}
        )

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        send = getattr(self.client, method)
        sent = {**self._headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if body is None:
            return send(f"/api/v1/{path}", headers=sent)
        return send(f"/api/v1/{path}", body, "application/json", headers=sent)


type Browser = Callable[[User], Api]
type Server = Callable[..., Api]


@pytest.fixture
def browser(signed_in: Callable[[User], Client]) -> Browser:
    """Return the API as a signed-in user's browser has it."""
    return lambda user: Api(signed_in(user))


@pytest.fixture
def make_key(staff: User) -> Callable[..., tuple[ApiKey, str]]:
    """Make a key that acts as a user, with some scopes; return it and its text."""
    return lambda user, *scopes: do_make_key(staff, user, "a server", scopes or list(Scope))


@pytest.fixture
def server(make_key: Callable[..., tuple[ApiKey, str]]) -> Server:
    """Return the API as a server has it, with a key of a user for some scopes; all without any."""

    def with_key(user: User, *scopes: Scope) -> Api:
        _, text = make_key(user, *scopes)
        # No session, and checks as strict as they are outside of tests.
        return Api(Client(enforce_csrf_checks=True), Authorization=f"Bearer {text}")

    return with_key
