"""How much one request is answered: pages of history, lists of clients, and a batch together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from services.web.server_api import caller, reading
from shared.presence.clients import ClientInfo, Entry
from shared.realtime import rpc
from shared.realtime.publish import publish
from tests.shared.presence.leases import Writer, here
from tests.web.server_api.conftest import Wire, bare, said

pytestmark = pytest.mark.django_db(transaction=True)

NEWS = "feed:news"
ALL = {"channel": NEWS, "limit": -1}
_MIB = 1024 * 1024


def offsets(page: dict[str, Any]) -> list[int]:
    return [each["offset"] for each in page["publications"]]


def batch(wire: Wire, *commands: dict[str, Any]) -> list[Any]:
    """Return for each command of a batch its method, or the code that it is refused with."""
    replies = wire.post("batch", {"commands": commands}).json()["replies"]
    return [each["error"]["code"] if "error" in each else next(iter(each)) for each in replies]


def test_a_page_of_history(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is asked for; the rest is asked for with `since`, forwards and backwards."""
    assert reading.PAGE_PUBLICATIONS == 1_000
    monkeypatch.setattr(reading, "PAGE_PUBLICATIONS", 3)
    for number in range(7):
        publish(NEWS, {"n": number})
    for limit in (-1, 4, 2**31 - 1):
        page = wire.result("history", {"channel": NEWS, "limit": limit})
        assert (offsets(page), page["offset"]) == ([1, 2, 3], 7)
    since = {"offset": 3, "epoch": page["epoch"]}
    assert offsets(wire.result("history", {**ALL, "since": since})) == [4, 5, 6]
    since["offset"] = 6
    assert offsets(wire.result("history", {**ALL, "since": since})) == [7]
    since["offset"] = 7
    assert offsets(wire.result("history", {**ALL, "since": since})) == []
    assert offsets(wire.result("history", {**ALL, "reverse": True})) == [7, 6, 5]
    since["offset"] = 5
    assert offsets(wire.result("history", {**ALL, "since": since, "reverse": True})) == [4, 3, 2]


def test_a_page_of_large_publications(wire: Wire) -> None:
    """Of 2 MiB at most, and all that is left comes with the next one."""
    for _ in range(40):
        publish(NEWS, {"text": "é" * 30_000})
    answer = wire.post("history", ALL)
    page = answer.json()["result"]
    assert 1.9 * _MIB < len(answer.content) < 2.1 * _MIB
    assert page["offset"] == 40
    last = offsets(page)[-1]
    rest = wire.result("history", {**ALL, "since": {"offset": last, "epoch": page["epoch"]}})
    assert [*offsets(page), *offsets(rest)] == list(range(1, 41))


def test_a_crowd_is_not_listed(key: str, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """106 points to the count, and the database is asked for no more than is needed."""
    assert reading.MOST_PRESENT == 5_000
    monkeypatch.setattr(reading, "MOST_PRESENT", 3)
    crowd = Writer("a", *(here(NEWS, f"c{number}", number) for number in range(3)))
    assert len(wire.result("presence", {"channel": NEWS})["presence"]) == 3
    crowd.write(here(NEWS, "c3", 3))
    assert wire.error("presence", {"channel": NEWS}) == 106
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = Client().post(
            "/api/presence", {"channel": NEWS}, "application/json", headers={"X-API-Key": key}
        )
    assert "presence_stats" in answer.json()["error"]["message"]
    [asked] = [each["sql"] for each in queries if "presence_presentclient" in each["sql"]]
    assert "LIMIT 4" in asked
    assert wire.result("presence_stats", {"channel": NEWS})["num_clients"] == 4


def test_a_crowd_of_which_much_is_told(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before all of that is in memory."""
    monkeypatch.setattr(caller, "MOST_ANSWERED", 1_000)
    told = [
        Entry(NEWS, ClientInfo(f"c{number}", "7", json.dumps("x" * 300)), since=0)
        for number in range(4)
    ]
    Writer("a", *told[:2])
    assert len(wire.result("presence", {"channel": NEWS})["presence"]) == 2
    Writer("b", *told[2:])
    assert wire.error("presence", {"channel": NEWS}) == 106


def test_a_batch_is_answered_so_much(wire: Wire) -> None:
    """What is over 16 MiB is 106 in its place, and what came before it is there."""
    for _ in range(20):
        publish(NEWS, {"text": "x" * 60_000})
    answer = wire.post("batch", {"commands": [{"history": ALL}] * 50})
    assert len(answer.content) < 16.1 * _MIB
    replies = answer.json()["replies"]
    kinds = [next(iter(each)) for each in replies]
    assert kinds == ["history"] * 13 + ["error"] * 37
    assert all(offsets(each["history"]) == list(range(1, 21)) for each in replies[:13])
    assert {each["error"]["code"] for each in replies[13:]} == {106}


def test_what_is_read_shares_one_budget(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first refusal nothing else is read; what writes, or is short, goes on."""
    monkeypatch.setattr(caller, "MOST_ANSWERED", 1_000)
    monkeypatch.setattr(rpc, "_methods", {"app.long": lambda user, data: "x" * 2_000})
    Writer("a", *(here(f"feed:{number:050}", "c1", 1) for number in range(20)))
    write = {"publish": {"channel": NEWS, "data": {"n": 1}}}
    history, presence = {"history": ALL}, {"presence": {"channel": NEWS}}
    channels, info = {"channels": {}}, {"info": {}}
    stats, call = {"presence_stats": {"channel": NEWS}}, {"rpc": {"method": "app.long"}}
    assert batch(wire, history, presence, info, channels) == ["history", "presence", "info", 106]
    told = batch(wire, channels, write, history, presence, info, call, stats)
    assert told == [106, "publish", 106, 106, 106, 106, "presence_stats"]
    # A method of an app may have written something, so that its answer is not taken back.
    assert batch(wire, history, call, history, call, write) == [
        "history",
        "rpc",
        106,
        106,
        "publish",
    ]
    assert said(NEWS) == [{"n": 1}] * 2
    assert wire.error("channels") == 106
    bare(wire.post("channels", X_Centrifugo_Error_Mode="transport"), 413, 106)
