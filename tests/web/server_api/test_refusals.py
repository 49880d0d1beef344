"""What was understood and turned down: a code, or a status for whoever asks for one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from math import nan
from typing import Any

import pytest
from django.db import DatabaseError, InternalError, OperationalError
from django.db.models import QuerySet

from services.web.server_api import caller as caller_module
from services.web.server_api import publishing
from services.web.server_api.methods import UNAVAILABLE
from shared.accounts.models import User
from shared.realtime import rpc
from shared.realtime.exceptions import ErrorCode, Refused
from tests.web.server_api.conftest import Wire, bare, heard_controls, said

pytestmark = pytest.mark.django_db(transaction=True)

NEWS = "feed:news"
PUBLISH = {"channel": NEWS, "data": {"n": 1}}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 107),
        ({"data": None}, 107),
        ({"data": "text"}, 107),
        ({"data": [1]}, 107),
        ({"data": {"x": "y" * 65_536}}, 107),
        ({"b64data": "no base64"}, 107),
        ({"b64data": base64.b64encode(b"no JSON").decode()}, 107),
        ({"b64data": base64.b64encode(b"\xff").decode(), "data": {}}, 107),
        ({"data": {}, "tags": {"a": "b"}}, 108),
    ],
)
def test_data_that_cannot_be_published(fields: dict[str, Any], code: int, wire: Wire) -> None:
    """The log keeps JSON objects of at most 64 KiB."""
    assert wire.error("publish", {"channel": NEWS, **fields}) == code
    assert wire.error("broadcast", {"channels": [NEWS], **fields}) == code
    assert said(NEWS) == []


def test_data_comes_out_as_it_went_in(wire: Wire) -> None:
    """Numbers of any size, every script, keys in their order."""
    data = {"z": 2**70, "a": -0.5, "text": "שלום 👋\u2028\u0000<b>", "none": None, "": [{}]}
    wire.result("publish", {"channel": NEWS, "data": data})
    [publication] = wire.result("history", {"channel": NEWS, "limit": 1})["publications"]
    assert publication == {"offset": 1, "data": data}
    assert list(publication["data"]) == list(data)


def test_a_broadcast_to_nobody(wire: Wire) -> None:
    """No channels at all are a mistake; none that can be published to are answers."""
    assert wire.error("broadcast", {"data": {}}) == 107
    responses = wire.result("broadcast", {"channels": ["nowhere:a"], "data": {}})["responses"]
    assert [each["error"]["code"] for each in responses] == [102]


def test_history_that_cannot_be_read(wire: Wire) -> None:
    """A limit below all, and what stands before the beginning."""
    assert wire.error("history", {"channel": NEWS, "limit": -2}) == 107
    asked = {"channel": NEWS, "limit": 1, "since": {"offset": 0}, "reverse": True}
    assert wire.error("history", asked) == 107
    assert wire.error("history_remove", {"channel": "flash:a"}) == 108


def test_presence_that_nobody_keeps(wire: Wire) -> None:
    """108 where the namespace has it off, and not an empty answer."""
    assert wire.error("presence", {"channel": "flash:a"}) == 108
    assert wire.error("presence_stats", {"channel": "flash:a"}) == 108


@pytest.mark.parametrize(
    "ending",
    [
        {"code": 1000, "reason": "x"},
        {"code": 2999, "reason": "x"},
        {"code": 5000, "reason": "x"},
        {"code": 4000, "reason": "é" * 62},
        {"code": 4000, "reason": "42"},
        {"code": 4000, "reason": '{"a": 1}'},
    ],
)
def test_an_ending_that_clients_would_misread(ending: dict[str, Any], wire: Wire) -> None:
    """107: codes that are not ours to send, and reasons that no close frame takes."""
    assert wire.error("disconnect", {"user": "7", "disconnect": ending}) == 107
    assert heard_controls() == []


def test_what_others_see_of_a_connection_is_not_changed(wire: Wire) -> None:
    """108, and its expiry stays as it is."""
    assert wire.error("refresh", {"user": "7", "info": {"name": "Bob"}}) == 108
    assert heard_controls() == []
    wire.result("refresh", {"user": "7", "info": None})
    assert len(heard_controls()) == 1


def test_a_reason_that_is_missing(wire: Wire) -> None:
    """Without one the JavaScript client would come back after any code."""
    wire.result("disconnect", {"user": "7", "disconnect": {"code": 4999}})
    [heard] = heard_controls()
    assert (getattr(heard, "code", 0), getattr(heard, "reason", "")) == (4999, "force disconnect")


def test_what_gateways_hear_is_bounded(wire: Wire) -> None:
    """107 for more than a publication may have."""
    body = {"user": "7", "channel": NEWS, "data": "x" * 70_000}
    assert wire.error("subscribe", body) == 107
    body = {"user": "7", "channel": NEWS, "b64data": "x"}
    assert wire.error("subscribe", body) == 107


@pytest.mark.parametrize("pattern", ["{", "}", "a}b", "{a,{b}", "{a,b}" * 7, "{" * 200])
def test_a_pattern_that_means_nothing(pattern: str, wire: Wire) -> None:
    """107 for unbalanced braces, and for more alternatives than anybody means."""
    assert wire.error("channels", {"pattern": pattern}) == 107


def test_a_batch_with_failures(wire: Wire) -> None:
    """A failed item holds the error alone, and the others are not its business."""
    commands = [
        {"publish": PUBLISH},
        {"publish": {"channel": "nowhere:a", "data": {}}},
        {"nothing": {}},
        {"map_publish": {}},
        {"batch": {"commands": []}},
        {"publish": None, "info": {}},
        {},
        {"rpc": {}},
        {"history": {"channel": NEWS}},
    ]
    answer = wire.post("batch", {"commands": commands}, X_Centrifugo_Error_Mode="transport")
    assert answer.status_code == 200
    assert list(answer.json()) == ["replies"]
    replies = answer.json()["replies"]
    told = [each["error"]["code"] if "error" in each else list(each) for each in replies]
    assert told == [["publish"], 102, 104, 108, 104, ["info"], 104, 107, ["history"]]
    assert all(len(each) == 1 for each in replies)
    assert replies[8]["history"]["offset"] == 1
    assert wire.post("batch", {}).json() == {"replies": []}


def test_a_method_of_an_app(
    wire: Wire, staff: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is called in the name of the key's user; without any there is nothing to call."""
    monkeypatch.setattr(rpc, "_methods", {})
    assert wire.error("rpc", {"method": "app.greet"}) == 108

    @rpc.rpc("app.greet")
    def greet(user: User, params: Any) -> Any:
        if params is None:
            raise Refused(ErrorCode.CONFLICT, "Say whom.")
        return {"from": user.username, "to": params["name"]}

    assert wire.error("rpc", {"method": "app.other"}) == 104
    assert wire.error("rpc", {}) == 107
    assert wire.error("rpc", {"method": "app.greet"}) == 409
    result = wire.result("rpc", {"method": "app.greet", "params": {"name": "bob"}})
    assert result == {"data": {"from": "root", "to": "bob"}}
    # In a batch, the others' results are there.
    commands = [
        {"publish": PUBLISH},
        {"rpc": {"method": "app.answer"}},
        {"rpc": {"method": "app.greet", "params": {"name": "bob"}}},
    ]
    answer: Any = None

    @rpc.rpc("app.answer")
    def give(user: User, params: Any) -> Any:
        return answer

    for each in (nan, object(), "\ud800"):
        answer = each
        assert wire.error("rpc", {"method": "app.answer"}) == 100
        replies = wire.post("batch", {"commands": commands}).json()["replies"]
        assert [list(one) for one in replies] == [["publish"], ["error"], ["rpc"]]
    answer = {"when": datetime(2026, 1, 2, tzinfo=UTC)}
    told = wire.result("rpc", {"method": "app.answer"})
    assert told == {"data": {"when": "2026-01-02T00:00:00Z"}}
    # Codes of its own.
    rpc._methods["app.refuse"] = refuse
    assert wire.error("rpc", {"method": "app.refuse"}) == 450
    # A mistake of the method is ours to log, and the caller's to hear of without a traceback.
    assert wire.error("rpc", {"method": "app.greet", "params": {}}) == 100
    assert "KeyError" in caplog.text


def refuse(user: User, params: Any) -> Any:
    raise Refused(450, "Not today.")


def test_what_we_do_not_have(wire: Wire) -> None:
    """108 for the reference server's other calls, whatever they carry."""
    for method in sorted(UNAVAILABLE):
        assert wire.error(method, {"user": 1}) == 108


@pytest.mark.parametrize(
    ("method", "body", "status", "code"),
    [
        ("publish", {"channel": "nowhere:a", "data": {}}, 404, 102),
        ("publish", {"channel": "chat:lobby", "data": {}}, 403, 103),
        ("publish", {"channel": NEWS}, 400, 107),
        ("rpc", {"method": "app.nothing"}, 404, 104),
        ("history", {"channel": "flash:a"}, 400, 108),
        ("history", {"channel": NEWS, "since": {"epoch": "other"}}, 416, 112),
        ("broadcast", {"channels": ["feed:a"] * 1_001}, 413, 106),
        ("block_user", {}, 400, 108),
    ],
)
def test_errors_by_status(
    method: str,
    body: Any,
    status: int,
    code: int,
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the header for it, an error is a status and the bare error; without it is not."""
    monkeypatch.setattr(rpc, "_methods", {"app.other": print})
    bare(wire.post(method, body, X_Centrifugo_Error_Mode="transport"), status, code)
    assert wire.error(method, body) == code
    assert wire.post("info", {}, X_Centrifugo_Error_Mode="transport").status_code == 200


def test_a_database_that_is_away(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """100, which asks to be tried again: for the key, for the method, in a batch."""

    def fail(*_: Any, **__: Any) -> Any:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(publishing, "do_publish_each", fail)
    assert wire.error("publish", PUBLISH) == 100
    bare(wire.post("publish", PUBLISH, X_Centrifugo_Error_Mode="transport"), 500, 100)
    replies = wire.post("batch", {"commands": [{"publish": PUBLISH}]}).json()["replies"]
    assert replies[0]["error"]["code"] == 100
    monkeypatch.setattr(caller_module, "find_key", fail)
    assert wire.error("info") == 100
    bare(wire.post("batch", {}), 500, 100)


@pytest.mark.parametrize("error", [OperationalError, InternalError, DatabaseError])
def test_a_key_that_cannot_be_looked_up(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """100 in this API's shape, whatever is wrong with the database."""

    def fail(*_: Any) -> Any:
        raise error("out of order")

    monkeypatch.setattr(caller_module, "find_key", fail)
    assert wire.error("info") == 100
    bare(wire.post("info", {}, X_Centrifugo_Error_Mode="transport"), 500, 100)


def test_a_database_that_may_only_be_read(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When a key was used is not noted then; who reads is answered."""

    def fail(*_: Any, **__: Any) -> Any:
        raise InternalError("cannot execute UPDATE in a read-only transaction")

    monkeypatch.setattr(QuerySet, "update", fail)
    wire.result("info")
    assert "was not noted: cannot execute UPDATE" in caplog.text
