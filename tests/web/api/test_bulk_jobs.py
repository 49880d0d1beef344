"""Bulk jobs and saved filters, through the API."""

from __future__ import annotations

from typing import Any

import pytest

from shared.accounts.keys import Scope
from shared.accounts.models import User
from shared.bulk.models import BulkJob, Chunk, Failure, SavedFilter
from shared.notifications.models import Notification
from tests.web.api.conftest import Api, Browser, Server

JOB = {
    "kind": "notifications.message",
    "context": {"title": "Hello", "body": "all of you", "url": "/rooms/"},
    "audience": {"type": "all"},
}
IDS = {**JOB, "audience": {"type": "ids"}}


@pytest.fixture
def api(staff: User, server: Server) -> Api:
    """The API as a server of the staff's has it."""
    return server(staff)


@pytest.fixture
def draft(api: Api) -> int:
    """The id of a draft whose recipients are listed."""
    number: int = api.post("bulk-jobs", IDS).json()["id"]
    return number


def test_a_draft_sends_nothing(api: Api, alice: User) -> None:
    """201 with the job and its progress; reading it says the same."""
    made = api.post("bulk-jobs", JOB)
    assert made.status_code == 201
    job = made.json()
    assert (job["type"], job["state"], job["created_by"]) == ("job", "draft", "root")
    assert (job["total"], job["done"], job["percent"]) == (0, 0, 0)
    assert {key: job[key] for key in JOB} == JOB
    assert api.get(f"bulk-jobs/{job['id']}").json() == job
    assert api.get("bulk-jobs").json() == {"jobs": [job], "next": None}
    assert not Notification.objects.exists()


def test_one_key_makes_one_job(api: Api) -> None:
    """201, then 200 with the same job; 409 for another request with that key."""
    answers = [api.post("bulk-jobs", JOB, Idempotency_Key="order-1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = api.post("bulk-jobs", IDS, Idempotency_Key="order-1")
    assert other.status_code == 409
    assert BulkJob.objects.count() == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 65, "é"])
def test_a_key_that_is_none(key: str, api: Api) -> None:
    """400 naming the header."""
    response = api.post("bulk-jobs", JOB, Idempotency_Key=key)
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["Idempotency-Key"]
    assert not BulkJob.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "posts.new_post"}, "kind"),
        ({"kind": "no such\0kind"}, "kind"),
        ({"context": {"title": ""}}, "context.title"),
        ({"context": {"title": "x", "colour": "red"}}, "context.colour"),
        ({"context": {"title": "\0"}}, "context"),
        ({"context": []}, "context"),
        ({"audience": {}}, "audience"),
        ({"audience": {"type": "everybody"}}, "audience"),
        ({"audience": {"type": "criteria"}}, "audience"),
        ({"audience": {"type": "criteria", "shoe_size": 42}}, "audience.shoe_size"),
        ({"audience": {"type": "followers", "username": "a\0"}}, "audience"),
        ({"audience": {"type": "followers", "username": "nobody"}}, "audience.username"),
        ({"audience": {"type": "ids", "ids": [1, 2]}}, "audience"),
        ({"audience": 1}, "audience"),
        ({"audience": {"type": "filter", "filter": 1}}, "audience.filter"),
    ],
)
def test_what_cannot_be_taken_is_named(change: dict[str, Any], field: str, api: Api) -> None:
    """400 naming the part; no job is made."""
    response = api.post("bulk-jobs", JOB | change)
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]
    assert not BulkJob.objects.exists()


def test_a_job_goes_through_its_states(api: Api) -> None:
    """Each step answers with the job; one that is not open from there is 409."""
    path = f"bulk-jobs/{api.post('bulk-jobs', JOB).json()['id']}"
    assert api.post(f"{path}/pause").status_code == 409
    assert api.post(f"{path}/start").json()["state"] == "planning"
    again = api.post(f"{path}/start")
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "wrong_state"
    assert api.post(f"{path}/cancel").json()["state"] == "cancelled"
    for step in ("resume", "retry", "cancel"):
        assert api.post(f"{path}/{step}").status_code == 409


def test_nobody_to_tell(api: Api, draft: int) -> None:
    """409, and it stays a draft."""
    refused = api.post(f"bulk-jobs/{draft}/start")
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "empty_audience"
    assert api.get(f"bulk-jobs/{draft}").json()["state"] == "draft"


def test_a_job_tells_how_it_reads(api: Api) -> None:
    """The text as the caller would get it; or why it cannot be made, and then it is not started."""
    good = api.post("bulk-jobs", JOB).json()
    assert good["preview"] == {**JOB["context"], "reason": None}
    context = {"title": "Hello", "url": "javascript:1"}
    bad = api.post("bulk-jobs", JOB | {"context": context}).json()
    reason = bad["preview"].pop("reason")
    assert "neither a path" in reason
    assert bad["preview"] == {"title": None, "body": None, "url": None}
    refused = api.post(f"bulk-jobs/{bad['id']}/start")
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "unspeakable"
    assert reason in refused.json()["error"]["message"]
    assert api.get(f"bulk-jobs/{bad['id']}").json()["state"] == "draft"


def test_a_start_answers_how_many_there_are(api: Api, draft: int, alice: User, bob: User) -> None:
    """As the draft did."""
    api.stream(f"bulk-jobs/{draft}/recipients", f"{alice.pk}\n{bob.pk}".encode(), "text/csv")
    assert api.get(f"bulk-jobs/{draft}").json()["total"] == 2
    assert api.post(f"bulk-jobs/{draft}/start").json()["total"] == 2


def test_who_could_not_be_told(api: Api, draft: int) -> None:
    """Ids and reasons, the newest first, page by page."""
    assert api.get(f"bulk-jobs/{draft}/failures").json() == {"failures": [], "next": None}
    chunk = Chunk.objects.create(job_id=draft, number=1, user_ids=[], size=3, failed=3)
    Failure.objects.bulk_create(
        Failure(job_id=draft, chunk=chunk, user_id=user_id, reason=f"no {user_id}")
        for user_id in (1, 2, 3)
    )
    first = api.get(f"bulk-jobs/{draft}/failures", limit=2).json()
    assert [(each["user_id"], each["reason"]) for each in first["failures"]] == [
        (3, "no 3"),
        (2, "no 2"),
    ]
    second = api.get(f"bulk-jobs/{draft}/failures", before=first["next"]).json()
    assert [each["user_id"] for each in second["failures"]] == [1]
    assert second["next"] is None


def test_the_kinds_that_are_offered(api: Api) -> None:
    """With their fields; where another one is asked for, they are named."""
    offered = api.get("kinds").json()["kinds"]
    assert [kind["key"] for kind in offered] == ["notifications.message", "polls.closed"]
    assert offered[0] == {
        "key": "notifications.message",
        "label": "A message from the team",
        "category": "messages",
        "fields": [
            {"name": "title", "label": "Title", "required": True},
            {"name": "body", "label": "Text", "required": False},
            {"name": "url", "label": "Address", "required": False},
        ],
    }
    message = api.post("bulk-jobs", JOB | {"kind": "nope"}).json()["error"]["message"]
    assert "notifications.message, polls.closed" in message


def test_a_dry_run_counts(api: Api, alice: User, bob: User) -> None:
    """The exact number, and nothing is made."""
    for audience, count in (
        ({"type": "all"}, 3),
        ({"type": "criteria", "staff": True}, 1),
        ({"type": "followers", "username": "alice"}, 0),
    ):
        assert api.post("bulk-jobs/count", {"audience": audience}).json() == {"count": count}
    assert api.post("bulk-jobs/count", {"audience": {"type": "x"}}).status_code == 400
    listed = api.post("bulk-jobs/count", {"audience": {"type": "ids"}})
    assert listed.status_code == 400
    assert "draft" in listed.json()["error"]["message"]
    assert not BulkJob.objects.exists()


def test_only_staff(alice: User, browser: Browser, server: Server, draft: int) -> None:
    """403 for everything, with a session and with a key of every scope."""
    job = f"bulk-jobs/{draft}"
    for api in (browser(alice), server(alice)):
        for answer in (
            api.get("bulk-jobs"),
            api.get(job),
            api.get(f"{job}/failures"),
            api.get("kinds"),
            api.post("bulk-jobs", JOB),
            api.post("bulk-jobs/count", {"audience": {"type": "all"}}),
            *(api.post(f"{job}/{s}") for s in ("start", "pause", "resume", "cancel", "retry")),
            api.stream(f"{job}/recipients", b"1", "text/csv"),
            api.get("saved-filters"),
            api.post("saved-filters", {"name": "x", "criteria": {"staff": True}}),
            api.delete("saved-filters/1"),
        ):
            assert answer.status_code == 403
            assert answer.json()["error"]["code"] == "forbidden"
    assert BulkJob.objects.get().state == "draft"


def test_a_reading_key_writes_nothing(staff: User, server: Server, draft: int) -> None:
    """bulk:read lists and reads; the rest takes bulk:write."""
    api = server(staff, Scope.BULK_READ)
    assert api.get(f"bulk-jobs/{draft}").status_code == 200
    assert api.post(f"bulk-jobs/{draft}/start").json()["error"]["code"] == "missing_scope"


def test_an_unknown_job(api: Api) -> None:
    """404 on every address of it."""
    assert api.get("bulk-jobs/1").status_code == 404
    assert api.get("bulk-jobs/1/failures").status_code == 404
    for step in ("start", "pause", "resume", "cancel", "retry"):
        assert api.post(f"bulk-jobs/1/{step}").status_code == 404
    assert api.stream("bulk-jobs/1/recipients", b"1", "text/csv").status_code == 404


def test_saved_filters(api: Api, alice: User) -> None:
    """Made, listed, used as an audience, deleted."""
    made = api.post("saved-filters", {"name": "Team", "criteria": {"staff": True}})
    assert made.status_code == 201
    saved = made.json()
    assert api.get("saved-filters").json() == {"filters": [saved], "next": None}
    assert api.get(f"saved-filters/{saved['id']}").json() == saved
    audience = {"type": "filter", "filter": saved["id"]}
    assert api.post("bulk-jobs/count", {"audience": audience}).json() == {"count": 1}
    assert (
        api.post("saved-filters", {"name": "Team", "criteria": {"staff": False}}).status_code == 409
    )
    assert api.delete(f"saved-filters/{saved['id']}").status_code == 204
    assert api.delete(f"saved-filters/{saved['id']}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "criteria": {"staff": True}},
        {"name": "a\0b", "criteria": {"staff": True}},
        {"name": "x" * 101, "criteria": {"staff": True}},
        {"name": "x", "criteria": {}},
        {"name": "x", "criteria": {"staff": "yes"}},
        {"name": "x", "criteria": {"shoe_size": 42}},
        {"name": "x", "criteria": {"group": "no\0such"}},
        {"name": "x"},
    ],
)
def test_a_filter_that_makes_no_sense(body: dict[str, Any], api: Api) -> None:
    """400, and it is not saved."""
    assert api.post("saved-filters", body).status_code == 400
    assert not SavedFilter.objects.exists()
