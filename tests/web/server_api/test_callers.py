"""Who asks, and what their key lets them do."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from django.test import Client
from prometheus_client import REGISTRY
from pytest_django import Settings

from services.web.server_api.methods import METHODS
from shared.accounts.actions import do_deactivate, do_make_key, do_revoke_key
from shared.accounts.exceptions import InvalidKey
from shared.accounts.keys import Scope
from shared.accounts.models import ApiKey, User
from shared.accounts.namespaces import REVOCATIONS
from shared.realtime.controls import CONTROLS
from tests.web.server_api.conftest import MakeKey, Opened, Wire, bare, heard_controls, said

pytestmark = pytest.mark.django_db(transaction=True)

NEWS = "feed:news"
PUBLISH = {"channel": NEWS, "data": {"n": 1}}


def failures() -> float:
    return REGISTRY.get_sample_value("carillon_auth_failures_total", {"method": "key"}) or 0.0


@pytest.mark.parametrize("scheme", ["apikey", "ApiKey", "APIKEY"])
def test_the_key_in_either_header(scheme: str, url: str, make_key: MakeKey) -> None:
    """`X-API-Key`, or `Authorization: apikey`."""
    _, text = make_key()
    for headers in ({"X-API-Key": text}, {"Authorization": f"{scheme} {text}"}):
        answer = httpx.post(f"{url}/publish", json=PUBLISH, headers=headers)
        assert answer.json()["result"]["offset"] > 0


@pytest.mark.parametrize("text", ["x", "ck_" + "a" * 53, "ck_" + "a" * 10_000, "null"])
def test_no_key_and_a_wrong_one(text: str, url: str, make_key: MakeKey) -> None:
    """401 before the body is looked at, and it is counted."""
    make_key()
    before = failures()
    for headers in ({}, {"X-API-Key": text}, {"Authorization": f"apikey {text}"}):
        answer = httpx.post(f"{url}/publish", content=b"no JSON", headers=headers)
        bare(answer, 401, 101)
        assert answer.headers["WWW-Authenticate"] == "apikey"
    assert failures() == before + 3


def test_a_key_elsewhere_counts_for_nothing(
    url: str, make_key: MakeKey, staff: User, signed_in: Callable[[User], Client]
) -> None:
    """Not in the address, where logs would keep it, not as a bearer; nor does a session."""
    _, text = make_key()
    bare(httpx.post(f"{url}/publish?api_key={text}", json=PUBLISH), 401, 101)
    bearer = {"Authorization": f"Bearer {text}"}
    bare(httpx.post(f"{url}/publish", json=PUBLISH, headers=bearer), 401, 101)
    answer = signed_in(staff).post("/api/publish", PUBLISH, "application/json")
    assert answer.status_code == 401
    assert said(NEWS) == []


def test_a_key_that_ends(url: str, make_key: MakeKey, alice: User, staff: User) -> None:
    """Revoked, or of a user who was deactivated: out with the next request."""
    key, text = make_key()
    headers = {"X-API-Key": text}
    assert httpx.post(f"{url}/publish", json=PUBLISH, headers=headers).status_code == 200
    do_revoke_key(staff, key)
    bare(httpx.post(f"{url}/publish", json=PUBLISH, headers=headers), 401, 101)
    _, text = make_key()
    ApiKey.objects.update(user=alice)
    do_deactivate(staff, alice)
    bare(httpx.post(f"{url}/publish", json=PUBLISH, headers={"X-API-Key": text}), 401, 101)


def test_a_key_for_some_methods(opened: Opened) -> None:
    """103 for every other one, alone and in a batch; nothing is done."""
    wire = opened(Scope.SERVER_HISTORY, Scope.ROOMS_READ)
    wire.result("history", {"channel": NEWS})
    for method in METHODS:
        if method != "history":
            assert wire.error(method, {"method": "x.y", **PUBLISH}) == 103
    replies = wire.post(
        "batch", {"commands": [{"publish": PUBLISH}, {"history": {"channel": NEWS}}]}
    ).json()["replies"]
    assert replies[0]["error"]["code"] == 103
    assert list(replies[1]) == ["history"]
    assert said(NEWS) == []
    assert heard_controls() == []


def test_a_key_for_some_namespaces(opened: Opened) -> None:
    """Of other channels it learns nothing, and does nothing there."""
    wire = opened(only=("flash",))
    wire.result("publish", {"channel": "flash:a", "data": {}})
    for method in ("publish", "history", "history_remove", "presence", "presence_stats"):
        assert wire.error(method, PUBLISH) == 103
    for method in ("subscribe", "unsubscribe"):
        assert wire.error(method, {"user": "7", "channel": NEWS}) == 103
    responses = wire.result("broadcast", {"channels": [NEWS, "flash:a"], "data": {}})["responses"]
    assert [list(each) for each in responses] == [["error"], ["result"]]
    assert responses[0]["error"]["code"] == 103
    assert said(NEWS) == []
    assert heard_controls() == []


# Undone afterwards, as other tests of the admin are: it notes each key with a row's content type,
# which Django remembers for as long as the process runs.
@pytest.mark.django_db
def test_a_key_made_in_the_admin(staff: User, signed_in: Callable[[User], Client]) -> None:
    """Staff choose methods and namespaces there, and see them again in the list."""
    browser = signed_in(staff)
    form = {
        "name": "Newsroom",
        "user": staff.pk,
        "scopes": ["server:publish"],
        "namespaces": ["feed"],
    }
    page = browser.post("/admin/accounts/apikey/add/", form).content.decode()
    [text] = re.findall(r">(ck_[\w-]+)<", page)
    for channel, told in ((NEWS, "result"), ("flash:a", "error")):
        body = {"channel": channel, "data": {}}
        headers = {"X-API-Key": text}
        answer = Client().post("/api/publish", body, "application/json", headers=headers)
        assert list(answer.json()) == [told]
    key = ApiKey.objects.get()
    assert (key.scopes, key.namespaces) == (["server:publish"], ["feed"])
    assert b"feed" in browser.get(f"/admin/accounts/apikey/{key.pk}/change/").content


@pytest.mark.parametrize("name", ["feeed", "controls", "revocations", "presence"])
def test_a_key_for_a_namespace_that_is_not_there(
    name: str, staff: User, signed_in: Callable[[User], Client]
) -> None:
    """A misspelt one, or one of the servers themselves, would leave a key that does nothing."""
    with pytest.raises(InvalidKey) as caught:
        do_make_key(staff, staff, "x", [Scope.SERVER_PUBLISH], ["feed", name])
    assert caught.value.field == "namespaces"
    assert not ApiKey.objects.exists()
    form = signed_in(staff).get("/admin/accounts/apikey/add/").content.decode()
    assert 'value="feed"' in form
    assert f'value="{name}"' not in form


@pytest.mark.parametrize("channel", ["chat:lobby", "user:1", "announcements:all", "post:1"])
def test_channels_whose_publications_stand_for_rows(channel: str, wire: Wire) -> None:
    """103: a message that no row stands behind would be in no history of the room."""
    assert wire.error("publish", {"channel": channel, "data": {"n": 1}}) == 103
    assert wire.error("history_remove", {"channel": channel}) == 103
    assert said(channel) == []


@pytest.mark.parametrize("channel", [CONTROLS, REVOCATIONS, "controls:x", "presence:x"])
def test_channels_that_are_nobodys_business(channel: str, wire: Wire) -> None:
    """They do not exist, for whatever is asked of them."""
    for method in ("publish", "history", "history_remove", "presence", "presence_stats"):
        assert wire.error(method, {"channel": channel, "data": {}}) == 102
    for method in ("subscribe", "unsubscribe"):
        assert wire.error(method, {"user": "7", "channel": channel}) == 102
    assert heard_controls() == []


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("", 107),
        ("news", 107),
        ("feed:", 107),
        ("feed:a\n", 107),
        ("feed:é", 107),
        ("feed:\0", 107),
        ("feed:" + "x" * 300, 107),
        ("nowhere:a", 102),
    ],
)
def test_what_is_no_channel(channel: str, code: int, wire: Wire) -> None:
    """Malformed is 107, unknown is 102, whatever is asked."""
    for method in ("publish", "history", "history_remove", "presence", "presence_stats"):
        assert wire.error(method, {"channel": channel, "data": {}}) == code
    for method in ("subscribe", "unsubscribe"):
        assert wire.error(method, {"user": "7", "channel": channel}) == code


def test_too_many_calls(wire: Wire, opened: Opened, settings: Settings) -> None:
    """A key's calls are spent; another key has its own. The answer says when to come again."""
    settings.CARILLON_SERVER_API_CALLS_PER_MINUTE = 3
    for _ in range(3):
        wire.result("channels")
    answer = wire.post("publish", PUBLISH)
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, 111)
    assert 1 <= int(answer.headers["Retry-After"]) <= 20
    refused = wire.post("publish", PUBLISH, X_Centrifugo_Error_Mode="transport")
    bare(refused, 429, 111)
    assert refused.headers["Retry-After"]
    opened().result("publish", PUBLISH)
    assert said(NEWS) == [{"n": 1}]


def test_batch_is_as_many_calls_as_it_has_commands(
    wire: Wire, opened: Opened, settings: Settings
) -> None:
    """One that is more than all there are takes all; what is no batch is one call."""
    settings.CARILLON_SERVER_API_CALLS_PER_MINUTE = 4
    batch = {"commands": [{"publish": PUBLISH}] * 2}
    for _ in range(2):
        assert len(wire.post("batch", batch).json()["replies"]) == 2
    bare(wire.post("batch", batch), 429, 111)
    large, other = {"commands": [{"publish": PUBLISH}] * 9}, opened()
    assert len(other.post("batch", large).json()["replies"]) == 9
    assert other.error("channels") == 111
    odd = opened()
    assert odd.post("batch", {"commands": "x"}).status_code == 400
    settings.CARILLON_SERVER_API_CALLS_PER_MINUTE = 0
    other.result("channels")


def test_batch_is_no_more_calls_than_that(wire: Wire, settings: Settings) -> None:
    """One of most of the calls leaves the others."""
    settings.CARILLON_SERVER_API_CALLS_PER_MINUTE = 5
    assert len(wire.post("batch", {"commands": [{"publish": PUBLISH}] * 3}).json()["replies"]) == 3
    for _ in range(2):
        wire.result("channels")
    assert wire.error("channels") == 111


@pytest.mark.parametrize(
    ("commands", "status"), [([{"publish": PUBLISH}] * 1_001, 413), ([{"publish": 3}] * 4, 400)]
)
def test_batch_that_is_a_mistake(
    commands: list[object], status: int, wire: Wire, settings: Settings
) -> None:
    """It is one call, however many commands it has, as none of them is carried out."""
    settings.CARILLON_SERVER_API_CALLS_PER_MINUTE = 3
    assert wire.post("batch", {"commands": commands}).status_code == status
    for _ in range(2):
        wire.result("channels")
    bare(wire.post("batch", {"commands": commands}), 429, 111)
    assert said(NEWS) == []
