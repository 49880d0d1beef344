"""Recipients of a draft, streamed to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.accounts.models import User
from shared.bulk.models import Recipient
from tests.web.api.conftest import Api, Server
from tests.web.api.test_bulk_jobs import IDS, JOB


@pytest.fixture
def api(staff: User, server: Server) -> Api:
    """The API as a server of the staff's has it."""
    return server(staff)


@pytest.fixture
def path(api: Api) -> str:
    """Where a draft takes its recipients."""
    return f"bulk-jobs/{api.post('bulk-jobs', IDS).json()['id']}/recipients"


@pytest.fixture
def people(db: None) -> list[int]:
    """The ids of 30 users."""
    users = User.objects.bulk_create(User(username=f"user{n}") for n in range(30))
    return [user.pk for user in users]


WAYS: list[tuple[str, Callable[[list[int]], bytes]]] = [
    ("application/x-ndjson", lambda ids: "".join(f'{{"id": {n}}}\n' for n in ids).encode()),
    ("application/jsonl", lambda ids: "\n".join(map(str, ids)).encode()),
    ("text/csv", lambda ids: ("name,id\n" + "".join(f"x,{n}\n" for n in ids)).encode()),
    ("text/plain; charset=utf-8", lambda ids: "\r\n".join(map(str, ids)).encode()),
    ("application/json", lambda ids: str(ids).encode()),
]


@pytest.mark.parametrize(("kind", "write"), WAYS)
def test_a_list_is_taken(
    kind: str, write: Callable[[list[int]], bytes], api: Api, path: str, people: list[int]
) -> None:
    """However it is written; sent again it adds nobody."""
    for added in (30, 0):
        answer = api.stream(path, write(people), kind)
        assert answer.status_code == 200
        assert answer.json() == {
            "added": added,
            "duplicates": 30 - added,
            "unknown": 0,
            "unknown_ids": [],
            "total": 30,
            "bad": 0,
            "errors": [],
        }


def test_one_bad_line_of_many(api: Api, path: str, people: list[int]) -> None:
    """It is told by its number, unknown ids by themselves, and the rest is taken."""
    nobody = max(people) + 1000
    lines = [*map(str, people[:3]), "bob", str(nobody), *map(str, people[3:]), str(people[0])]
    answer = api.stream(path, "\n".join(lines).encode(), "text/csv").json()
    assert (answer["added"], answer["duplicates"], answer["total"]) == (30, 1, 30)
    assert (answer["unknown"], answer["unknown_ids"]) == (1, [nobody])
    assert answer["bad"] == 1
    assert [error["line"] for error in answer["errors"]] == [4]


def test_a_workbook_is_called_by_its_name(api: Api, path: str) -> None:
    """415 with what to do, whatever it was sent as."""
    for kind in ("text/csv", "application/x-ndjson"):
        refused = api.stream(path, b"PK\x03\x04" + bytes(1000), kind)
        assert refused.status_code == 415
        assert "Excel" in refused.json()["error"]["message"]
    assert not Recipient.objects.exists()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/csv", b"alice\nbob\n"),
        ("text/csv", b"id\n"),
        ("text/csv", b"\n\n"),
        ("text/csv", b"1 2 abc 999"),
        ("application/x-ndjson", b"{}\n"),
        ("application/json", b'["alice"]'),
    ],
)
def test_a_list_without_any_id(kind: str, body: bytes, api: Api, path: str) -> None:
    """400 naming the first line that should have had one."""
    refused = api.stream(path, body, kind)
    assert refused.status_code == 400
    (sentence,) = refused.json()["error"]["fields"]["body"]
    assert "There is no id in it" in sentence
    # What curl -d makes of a file.
    assert ("--data-binary" in sentence) == (len(body.splitlines()) == 1)
    assert not Recipient.objects.exists()


def test_an_empty_array(api: Api, path: str) -> None:
    """Nobody is added, and nothing is wrong."""
    assert api.stream(path, b"[]", "application/json").json()["total"] == 0


@pytest.mark.parametrize("kind", ["application/octet-stream", "multipart/form-data", "image/png"])
def test_another_kind_of_body(kind: str, api: Api, path: str) -> None:
    """415 naming those that are taken."""
    refused = api.stream(path, b"1\n", kind)
    assert refused.status_code == 415
    assert "text/csv" in refused.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"{}", b"[1", b"1", b"[" * 100_000])
def test_an_array_that_is_none(body: bytes, api: Api, path: str) -> None:
    """400 and a sentence."""
    assert api.stream(path, body, "application/json").status_code == 400


def test_values_of_an_array_are_judged_one_by_one(api: Api, path: str, people: list[int]) -> None:
    """As lines are."""
    body = f'[{people[0]}, "x", null, 1.5, true, {{"id": {people[1]}}}, []]'.encode()
    answer = api.stream(path, body, "application/json").json()
    assert (answer["added"], answer["bad"]) == (2, 5)
    assert [error["line"] for error in answer["errors"]] == [2, 3, 4, 5, 7]


def test_more_than_a_request_may_have(api: Api, path: str) -> None:
    """An array up to one MiB; a stream may have more."""
    refused = api.stream(path, b"[" + b"1," * 600_000 + b"1]", "application/json")
    assert refused.status_code == 413
    assert "text/csv" in refused.json()["error"]["message"]
    taken = api.stream(path, b"1\n" * 600_000, "text/csv")
    assert taken.status_code == 200
    assert taken.json()["added"] + taken.json()["unknown"] >= 1


def test_recipients_of_a_job_that_is_not_open_to_them(api: Api, path: str) -> None:
    """409 once it is under way; 400 where the audience is another one."""
    other = api.post("bulk-jobs", JOB).json()["id"]
    assert api.stream(f"bulk-jobs/{other}/recipients", b"1", "text/csv").status_code == 400
    assert api.post(path.replace("recipients", "cancel")).status_code == 200
    assert api.stream(path, b"1", "text/csv").status_code == 409
