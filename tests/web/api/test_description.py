"""The description of the API: the committed one is what the application says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver

from shared.accounts.keys import Scope

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(COMMITTED.read_text())
    return found


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_committed_description_is_the_applications(db: None, tmp_path: Path) -> None:
    """When this fails: `python manage.py export_openapi`, and say in the changelog what changed."""
    served = Client().get("/api/v1/openapi.json")
    assert served.headers["Content-Type"] == "application/json"
    call_command("export_openapi", tmp_path / "openapi.json", stdout=(tmp_path / "out").open("w"))
    assert served.content.decode() == (tmp_path / "openapi.json").read_text()
    assert served.content.decode() == COMMITTED.read_text()


def test_it_is_openapi_3_1(described: dict[str, Any]) -> None:
    """With each way to sign in, and nothing that refers to nowhere."""
    assert described["openapi"].startswith("3.1.")
    assert set(described["components"]["securitySchemes"]) == {"session", "bearer", "key"}
    text = json.dumps(described)
    for kind in ("schemas", "responses"):
        used = {part.split('"')[0] for part in text.split(f"#/components/{kind}/")[1:]}
        assert used <= set(described["components"][kind])


def test_every_operation_says_who_may_and_what_may_go_wrong(described: dict[str, Any]) -> None:
    """Security, the common errors, a summary; writes their limits and bodies their bounds."""
    for path, method, operation in operations(described):
        where = f"{method} {path}"
        answers = set(operation["responses"])
        assert {"400", "401", "403", "413", "500"} <= answers, where
        assert operation["summary"], where
        assert [next(iter(each)) for each in operation["security"]] == ["session", "bearer", "key"]
        if "{" in path:
            assert "404" in answers, where
        if method != "get":
            assert "429" in answers, where
        if "requestBody" in operation:
            assert {"411", "415"} <= answers, where


def test_every_scope_is_for_something(described: dict[str, Any]) -> None:
    """And no operation asks for one that no key can have; the server API has its own page."""
    used = {
        scope
        for _, _, operation in operations(described)
        for each in operation["security"]
        for scope in each.get("bearer", [])
    }
    assert used == {str(scope) for scope in Scope if not scope.startswith("server:")}


def test_every_address_of_the_api_is_described(described: dict[str, Any]) -> None:
    """What the resolver knows below /api/v1, but the description itself and the empty address."""
    (api,) = (each for each in get_resolver().url_patterns if str(each.pattern) == "api/v1/")
    known = {str(each.pattern) for each in api.url_patterns}  # type: ignore[union-attr]
    assert len(known - {"", "openapi.json"}) == len(described["paths"])
