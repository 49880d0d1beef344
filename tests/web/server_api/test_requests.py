"""What is wrong with a request itself, which a status tells in any mode."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from django.test import Client

from services.web.server_api.methods import METHODS, UNAVAILABLE
from shared.broker.wire import Published
from tests.web.server_api.conftest import MakeKey, Wire, bare, heard_controls, said

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]

MIB = 1024 * 1024
NEWS = "feed:news"
PUBLISH = {"channel": NEWS, "data": {"n": 1}}


@pytest.mark.parametrize("verb", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_only_posts(verb: str, key: str) -> None:
    """405, on every address."""
    for method in (*METHODS, "batch", *sorted(UNAVAILABLE)):
        answer = Client().generic(verb, f"/api/{method}", headers={"X-API-Key": key})
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"


def test_what_leads_nowhere(url: str, make_key: MakeKey) -> None:
    """404 without a redirect, and no method by another name."""
    headers = {"X-API-Key": make_key()[1]}
    for path in ("/publish/", "/nothing", "/Publish", "/v2/publish", "/publish%0a", "/v10"):
        bare(httpx.post(f"{url}{path}", json=PUBLISH, headers=headers), 404, 104)
        assert httpx.get(f"{url}{path}").status_code == 404
    assert "no slash at its end" in httpx.post(f"{url}/publish/").text
    # Not of this API.
    for path in ("", "/", "/v1/nothing"):
        answer = httpx.post(f"{url}{path}", json=PUBLISH, headers=headers)
        assert answer.status_code == 404, path
        assert "104" not in answer.text
    assert said(NEWS) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"channel": "\xff"}',
        b"[]",
        b'"text"',
        b"null",
        b"1",
        b'{"data": NaN}',
        b'{"channel": "feed:news", "data": {}} x',
        b"[" * 100_000,
        b'{"data": ' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"data": {"n": ' + b"1" * 5_000 + b"}}",
        b'{"data": "\\ud800"}',
    ],
)
def test_a_body_that_is_no_object(body: bytes, wire: Wire) -> None:
    """400 for every method, in whatever mode."""
    for method in ("publish", "info", "batch"):
        bare(wire.raw(method, body), 400, 107)
        bare(wire.raw(method, body, X_Centrifugo_Error_Mode="transport"), 400, 107)


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("publish", {"channel": 1}),
        ("publish", {"skip_history": 1}),
        ("publish", {"tags": {"a": 1}}),
        ("publish", {"tags": []}),
        ("publish", {"idempotency_key": "x" * 256}),
        ("publish", {"idempotency_key": "a\0b"}),
        ("publish", {"version": -1}),
        ("publish", {"version": 1.5}),
        ("publish", {"version": 2**53}),
        ("publish", {"version": True}),
        ("broadcast", {"channels": "feed:news"}),
        ("broadcast", {"channels": [1]}),
        ("broadcast", {"channels": [None]}),
        ("history", {"limit": "1"}),
        ("history", {"limit": 2**31}),
        ("history", {"since": 1}),
        ("history", {"since": {"offset": -1}}),
        ("history", {"since": {"offset": 2**63}}),
        ("subscribe", {"user": 7}),
        ("subscribe", {"override": {"presence": True}}),
        ("subscribe", {"user": "x" * 256}),
        ("disconnect", {"whitelist": "c1"}),
        ("disconnect", {"disconnect": {"code": -1}}),
        ("refresh", {"expire_at": "soon"}),
        ("refresh", {"expired": "true"}),
        ("channels", {"pattern": ["*"]}),
        ("rpc", {"method": 1}),
        ("batch", {"commands": {}}),
        ("batch", {"commands": [1]}),
        ("batch", {"commands": [None]}),
        ("batch", {"commands": [{"publish": PUBLISH}, {"publish": {"channel": 1}}]}),
        ("batch", {"commands": [{"publish": PUBLISH}, {"publish": 1}]}),
        ("batch", {"parallel": "yes"}),
    ],
)
def test_a_field_of_another_type(method: str, body: Any, wire: Wire) -> None:
    """400, and nothing of it was done, not even the part of a batch before it."""
    bare(wire.post(method, body), 400, 107)
    assert said(NEWS) == []
    assert heard_controls() == []


def test_nulls_and_strange_keys(wire: Wire) -> None:
    """A null is as good as nothing, and what nobody reads does not matter."""
    body = {**PUBLISH, "tags": None, "version": None, "b64data": None, "ttl": 5, "": []}
    assert wire.result("publish", body)["offset"] == 1
    since = {"offset": None, "epoch": None}
    assert wire.result("history", {"channel": NEWS, "limit": 1, "since": since})["offset"] == 1
    wire.result("subscribe", {"user": "7", "channel": NEWS, "override": {"presence": None}})
    wire.result("publish", {"channel": NEWS, "data": {"since": {"kept": None}}})
    assert said(NEWS) == [{"n": 1}, {"since": {"kept": None}}]


def test_a_body_of_any_kind(wire: Wire) -> None:
    """`curl -d` names a form; what counts is the key."""
    body = json.dumps(PUBLISH).encode()
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain", "x"):
        assert wire.raw("publish", body, Content_Type=kind).status_code == 200
    multipart = "multipart/form-data; boundary=x"
    assert wire.raw("publish", body, Content_Type=multipart).status_code == 200


def test_too_much_at_once(wire: Wire) -> None:
    """A body, a batch, a broadcast: each has its bound, and says so."""
    bare(wire.raw("publish", b'{"data": "' + b"x" * MIB + b'"}'), 413, 106)
    commands = [{"info": {}}] * 1_000
    assert len(wire.post("batch", {"commands": commands}).json()["replies"]) == 1_000
    bare(wire.post("batch", {"commands": [*commands, {"info": {}}]}), 413, 106)
    channels = [f"feed:{number}" for number in range(1_001)]
    assert wire.error("broadcast", {"channels": channels, "data": {}}) == 106
    result = wire.result("broadcast", {"channels": channels[:1_000], "data": {}})
    assert all(each["result"]["offset"] == 1 for each in result["responses"])


def test_more_than_bells_can_tell(wire: Wire, rings: Rings) -> None:
    """106 for what is large and for many, alone and all in all; what fits is told."""
    channels = [f"flash:{number}" for number in range(1_000)]
    large = {"channels": channels, "data": {"text": "x" * 20_000}}
    assert wire.error("broadcast", large) == 106
    assert rings == []
    half = {"channels": channels, "data": {"text": "x" * 8_000}}
    commands = [{"broadcast": half}, {"broadcast": large}, {"broadcast": half}]
    commands += [{"broadcast": half}, {"publish": {"channel": "flash:0", "data": {}}}]
    replies = wire.post("batch", {"commands": commands}).json()["replies"]
    assert [list(each) for each in replies] == [
        ["broadcast"],
        ["error"],
        ["broadcast"],
        ["error"],
        ["publish"],
    ]
    told = [each for ring in rings for each in ring]
    assert len(told) == 2_001
    # A broadcast's data is there once.
    assert len({id(each.data) for each in told}) == 3


def test_a_body_without_its_length(db: None) -> None:
    """411: nobody can tell whether it is too large."""
    headers = {"Transfer-Encoding": "chunked"}
    answer = Client().post("/api/publish", b"", "application/json", headers=headers)
    assert answer.status_code == 411
