"""What every operation makes of a request that it cannot take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from prometheus_client import REGISTRY
from pytest_django import Settings

from services.web.api import posts as posts_api
from shared.accounts.models import User
from shared.posts.models import Post
from shared.ratelimit.models import Budget
from tests.web.api.conftest import Browser, Server

MIB = 1024 * 1024


def error_of(response: Any, status: int) -> dict[str, Any]:
    """Return the error of an answer, after making sure of its shape."""
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    assert set(body["error"]) - {"fields"} == {"code", "message"}
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b"[" * 100_000, b'{"title": NaN}', b"1" * 5000, b'{"title": "x"} x'],
)
def test_a_body_that_is_no_json(body: bytes, alice: User, browser: Browser) -> None:
    """400 and a sentence, however it is broken."""
    error = error_of(browser(alice).stream("posts", body, "application/json"), 400)
    assert error["code"] in {"bad_json", "bad_request"}
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ([], ["body"]),
        ("text", ["body"]),
        (None, ["body"]),
        ({}, ["title"]),
        ({"title": None}, ["title"]),
        ({"title": 12}, ["title"]),
        ({"title": ""}, ["title"]),
        ({"title": "a\0b"}, ["title"]),
        ({"title": "\ud800"}, ["title"]),
        ({"title": "x" * 121}, ["title"]),
        ({"title": "x", "body": "y" * 20_001}, ["body"]),
        ({"title": "x", "author": "bob"}, ["author"]),
        ({"body": 1, "other": 2}, ["title", "body", "other"]),
    ],
)
def test_a_field_that_cannot_be_taken_is_named(
    body: Any, fields: list[str], alice: User, browser: Browser
) -> None:
    """400 with a sentence for each; nothing is stored."""
    response = browser(alice).stream("posts", json.dumps(body).encode(), "application/json")
    error = error_of(response, 400)
    assert error["code"] == "bad_request"
    assert list(error["fields"]) == fields
    assert all(sentence.endswith(".") for each in error["fields"].values() for sentence in each)
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    ("path", "body", "field", "sentence"),
    [
        (
            "posts",
            {"title": "x", "author": "bob"},
            "author",
            "There is no such key: use title, body.",
        ),
        ("posts", {}, "title", "This is missing: add it."),
        ("posts", {"title": 12}, "title", "Write a text."),
        ("posts", [], "body", 'Write an object, such as {"name": "value"}.'),
        ("rooms", {"name": "a b"}, "name", "Use 1 to 100 letters, digits, - and _."),
        ("rooms", {"name": "x", "members_only": 1}, "members_only", "Write true or false."),
        ("notifications/unread", {"ids": ["x"]}, "ids.0", "Write whole numbers."),
        ("notifications/unread", {"ids": [0]}, "ids.0", "Write a whole number from 1."),
        ("notifications/unread", {"ids": []}, "ids", "This is empty: name one at least."),
        ("notifications/unread", {"ids": 1}, "ids", "Write a list, such as [1, 2]."),
        ("notifications/unread", {"id": [1]}, "id", "There is no such key: use ids."),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(
    path: str, body: Any, field: str, sentence: str, alice: User, browser: Browser
) -> None:
    """What to write instead, and which keys there are; nothing of the library behind it."""
    error = error_of(browser(alice).post(path, body), 400)
    assert error["fields"][field] == [sentence]


def test_a_key_that_nobody_reads_inside_a_list(alice: User, browser: Browser) -> None:
    """The keys that are named are those of its own place."""
    body = {"preferences": [{"category": "posts", "enabled": True, "on": 1}]}
    error = error_of(browser(alice).put("preferences", body), 400)
    assert error["fields"] == {"preferences.0.on": ["There is no such key: use category, enabled."]}


def test_a_slash_at_the_end(alice: User, browser: Browser) -> None:
    """404 saying that it is the slash, where the address leads somewhere without it."""
    words = "without the slash"
    assert words in error_of(browser(alice).get("rooms/"), 404)["message"]
    assert words in error_of(browser(alice).post("bulk-jobs/1/start/"), 404)["message"]
    for path in ("nothing/", "", "rooms//"):
        assert words not in error_of(browser(alice).get(path), 404)["message"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", ""]
)
def test_a_body_of_another_kind(kind: str, alice: User, browser: Browser) -> None:
    """415 with the kind that is taken."""
    error = error_of(browser(alice).stream("posts", b'{"title": "x"}', kind), 415)
    assert "application/json" in error["message"]
    assert not Post.objects.exists()


def test_a_compressed_body(alice: User, browser: Browser) -> None:
    """415: a small one could unpack to anything."""
    response = browser(alice).stream(
        "posts", b'{"title": "x"}', "application/json", **{"Content-Encoding": "gzip"}
    )
    assert "uncompressed" in error_of(response, 415)["message"]


def test_a_body_that_is_too_large_is_not_read(alice: User, browser: Browser) -> None:
    """413 by its length, before anything else of it is looked at."""
    error_of(browser(alice).stream("posts", b"x" * (MIB + 1), "application/json"), 413)
    error_of(Client().post("/api/v1/posts", b"x" * (MIB + 1), "application/json"), 413)


def test_a_million_ids_in_a_request_get_a_hint(staff: User, browser: Browser) -> None:
    """413 with the two ways that work."""
    body = {"audience": {"type": "ids", "ids": list(range(1, 200_000))}}
    error = error_of(browser(staff).post("bulk-jobs", body), 413)
    assert "saved filter" in error["message"]
    assert "/recipients" in error["message"]


def test_a_body_without_its_length(alice: User, browser: Browser) -> None:
    """411: nobody can tell whether it is too large."""
    response = browser(alice).stream(
        "posts", b"", "application/json", **{"Transfer-Encoding": "chunked"}
    )
    error_of(response, 411)


def test_nothing_is_kept_by_browsers(alice: User, browser: Browser) -> None:
    """Answers and errors alike, known addresses and unknown ones."""
    for path in ("posts", "posts/1", "nothing", "openapi.json"):
        assert "no-store" in browser(alice).get(path).headers["Cache-Control"]


@pytest.mark.parametrize("path", ["posts", "posts/1", "users/alice/follow", "notifications/read"])
def test_a_wrong_method(path: str, alice: User, browser: Browser) -> None:
    """405 with those that are right, in the one shape."""
    response = browser(alice).client.patch(f"/api/v1/{path}")
    assert error_of(response, 405)["code"] == "method_not_allowed"
    assert response.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    [
        "posts/0",
        "posts/-1",
        "posts/9223372036854775808",
        "posts/x",
        "users/a%00b",
        "users/" + "x" * 151,
        "users/nobody",
        "rooms/a%2Fb",
        "rooms/" + "x" * 101,
        "",
    ],
)
def test_what_cannot_exist_is_not_found(path: str, alice: User, browser: Browser) -> None:
    """404, whether it might exist or never could."""
    assert error_of(browser(alice).get(path), 404)["code"] == "not_found"


@pytest.mark.parametrize("path", ["posts", "rooms", "notifications", "posts/{}/comments"])
@pytest.mark.parametrize("value", ["", "0", "-1", "x", "1.0", " 1", "1_0", "٣", str(2**63)])
def test_a_forged_cursor_is_refused(path: str, value: str, alice: User, browser: Browser) -> None:
    """400 naming it, the same on every list."""
    post = Post.objects.create(author=alice, title="x")
    for field in ("before", "limit"):
        error = error_of(browser(alice).get(path.format(post.pk), **{field: value}), 400)
        assert list(error["fields"]) == [field]


def test_a_huge_limit_counts_as_a_hundred(alice: User, browser: Browser) -> None:
    """It is no error and no burden, and the rest is the next page's."""
    Post.objects.bulk_create(Post(author=alice, title=f"post {n}") for n in range(103))
    first = browser(alice).get("posts", limit=10**9).json()
    assert len(first["posts"]) == 100
    second = browser(alice).get("posts", limit=10**9, before=first["next"]).json()
    assert [post["title"] for post in second["posts"]] == ["post 2", "post 1", "post 0"]
    assert second["next"] is None


def test_head_is_answered_as_get_is(alice: User, browser: Browser) -> None:
    """The same status, and no body."""
    response = browser(alice).client.head("/api/v1/posts")
    assert (response.status_code, response.content) == (200, b"")


def test_a_failure_tells_nothing_of_itself(
    alice: User, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 in the one shape, without a traceback."""

    def fail(*args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(posts_api, "post_of", fail)
    api = browser(alice)
    api.client.raise_request_exception = False
    response = api.get("posts/1")
    assert error_of(response, 500)["code"] == "server_error"
    assert b"secret detail" not in response.content


def test_writes_are_limited(alice: User, bob: User, browser: Browser, settings: Settings) -> None:
    """429 with the seconds to wait; others, and other kinds of things, are not concerned."""
    settings.CARILLON_API_WRITES_PER_MINUTE = 3
    api = browser(alice)
    for number in range(3):
        assert api.post("posts", {"title": f"post {number}"}).status_code == 201
    labels = {"scope": "posts"}
    before = REGISTRY.get_sample_value("carillon_rate_limited_total", labels) or 0.0
    refused = api.post("posts", {"title": "one too many"})
    assert error_of(refused, 429)["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 20
    assert REGISTRY.get_sample_value("carillon_rate_limited_total", labels) == before + 1
    assert Post.objects.count() == 3
    assert api.put("users/bob/follow").status_code == 204
    assert api.get("posts").status_code == 200
    assert browser(bob).post("posts", {"title": "mine"}).status_code == 201


def test_a_key_has_a_budget_of_its_own(
    alice: User, browser: Browser, server: Server, settings: Settings
) -> None:
    """What a server writes does not shut its user's browser out."""
    settings.CARILLON_API_KEY_WRITES_PER_MINUTE = 1
    api = server(alice)
    assert api.post("posts", {"title": "x"}).status_code == 201
    assert api.post("posts", {"title": "x"}).status_code == 429
    assert browser(alice).post("posts", {"title": "x"}).status_code == 201


def test_what_is_refused_before_the_budget_does_not_use_it(db: None, browser: Browser) -> None:
    """A stranger, a wrong token, a wrong kind of body: no row is written for any of them."""
    Client().post("/api/v1/posts", {"title": "x"}, "application/json")
    assert not Budget.objects.exists()
