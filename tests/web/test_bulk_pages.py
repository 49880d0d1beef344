"""The staff's pages for bulk jobs and saved filters, and the action in the list of users."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from services.web import job_form
from shared.accounts.actions import do_follow
from shared.accounts.models import User
from shared.bulk.actions import do_create_job, do_pause_job, do_start_job
from shared.bulk.models import BulkJob, Chunk, Failure, Recipient, SavedFilter
from shared.bulk.states import ChunkState, JobState
from shared.notifications.staff_kinds import StaffMessage

type SignIn = Callable[[User], Client]

MESSAGE = "notifications.message"
TEXT = {"title": "Maintenance", "body": "Tonight at ten.", "url": "/rooms/"}
NEW = "/staff/bulk/"


def fields(**changes: Any) -> dict[str, Any]:
    """Return what the form for a new job sends."""
    texts = {f"{MESSAGE}:{name}": value for name, value in TEXT.items()}
    return {"key": "one-click", "kind": MESSAGE, "audience": "all", **texts, **changes}


def listed(text: str | bytes, **changes: Any) -> dict[str, Any]:
    """Return what the form sends with a list: uploaded, or pasted."""
    if isinstance(text, str):
        return fields(audience="ids", ids=text, **changes)
    return fields(audience="ids", file=SimpleUploadedFile("people.csv", text), **changes)


def saying(job: BulkJob, action: str, **changes: str) -> dict[str, str]:
    """Return what a draft's page sends."""
    texts = {f"{MESSAGE}:{name}": value for name, value in (TEXT | changes).items()}
    return {"action": action, "kind": MESSAGE, **texts}


@pytest.fixture
def browser(signed_in: SignIn, staff: User) -> Client:
    return signed_in(staff)


@pytest.fixture
def job(staff: User) -> BulkJob:
    """A draft to everybody."""
    return do_create_job(staff, kind=MESSAGE, context=TEXT, audience={"type": "all"}).job


def page_of(job: BulkJob) -> str:
    return f"/staff/bulk/{job.pk}/"


def read(browser: Client, path: str) -> str:
    """Return a page's text without markup, in one line."""
    text = re.sub(r"<[^>]+>", " ", browser.get(path).content.decode())
    return " ".join(text.split())


def actions(browser: Client, job: BulkJob) -> set[str]:
    """Return the actions that a job's page has buttons for."""
    page = browser.get(page_of(job)).content.decode()
    return set(re.findall(r'name="action" value="(\w+)"', page))


def put(job: BulkJob, state: JobState, **changes: Any) -> BulkJob:
    """Put a job into a state, as if it had come there."""
    for name, value in {"state": state, **changes}.items():
        setattr(job, name, value)
    job.save()
    return job


@pytest.mark.parametrize("path", [NEW, "/staff/bulk/1/", "/staff/filters/"])
def test_the_pages_are_for_staff(path: str, alice: User, signed_in: SignIn) -> None:
    """Others are refused, whether or not the job is there; strangers sign in first."""
    assert signed_in(alice).get(path).status_code == 403
    assert signed_in(alice).post(path, fields()).status_code == 403
    assert Client().get(path).status_code == 302


def test_a_draft_to_everybody(browser: Client, alice: User, staff: User) -> None:
    """It leads to its page, with the number of people and the text as they will read it."""
    response = browser.post(NEW, fields(), follow=True)
    job = BulkJob.objects.get()
    assert response.redirect_chain == [(page_of(job), 302)]
    assert (job.state, job.kind, job.context) == ("draft", MESSAGE, TEXT)
    assert job.created_by == staff
    text = read(browser, page_of(job))
    assert "2 people get it: everybody." in text
    assert "Maintenance Tonight at ten. Leads to /rooms/" in text
    assert "Send to 2 people" in text


def test_a_double_click_makes_one_job(browser: Client, alice: User) -> None:
    """The second one leads to the same job, and no recipient counts twice."""
    first = browser.post(NEW, listed(f"{alice.pk}\n"))
    second = browser.post(NEW, listed(f"{alice.pk}\n"))
    job = BulkJob.objects.get()
    assert first["Location"] == second["Location"] == page_of(job)
    assert (job.total, job.duplicates) == (1, 0)


def test_each_form_is_a_request_of_its_own(browser: Client) -> None:
    """A page that is opened again carries another key."""
    keys = [browser.get(NEW).context["form"]["key"].value() for _ in range(2)]
    assert keys[0] != keys[1]


def test_a_form_that_is_changed_and_sent_again_is_refused(browser: Client) -> None:
    """It would be two jobs by one key; the form says so and keeps what was written."""
    browser.post(NEW, fields())
    response = browser.post(NEW, fields(**{f"{MESSAGE}:title": "Something else"}))
    assert response.status_code == 400
    assert b"was used for another job" in response.content
    assert b'value="Something else"' in response.content
    assert BulkJob.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": ""}, "kind"),
        ({"kind": "no.such.kind"}, "kind"),
        # Only code sends this one.
        ({"kind": "notifications.announcement"}, "kind"),
        ({f"{MESSAGE}:title": ""}, f"{MESSAGE}:title"),
        ({f"{MESSAGE}:title": "\u200b"}, f"{MESSAGE}:title"),
        ({f"{MESSAGE}:body": "x" * 2_001}, f"{MESSAGE}:body"),
        ({f"{MESSAGE}:body": "a\0b"}, f"{MESSAGE}:body"),
        ({"audience": ""}, "audience"),
        ({"audience": "criteria"}, "audience"),
        ({"audience": "filter"}, "filter"),
        ({"audience": "filter", "filter": "999"}, "filter"),
        ({"audience": "followers"}, "username"),
        ({"audience": "followers", "username": "nobody"}, "username"),
        ({"audience": "ids"}, "file"),
        ({"key": ""}, "key"),
        ({"key": "x" * 65}, "key"),
    ],
)
def test_a_job_that_cannot_be_taken_is_refused(
    changes: dict[str, str], field: str, browser: Client
) -> None:
    """400 with the field's fault; nothing is made."""
    response = browser.post(NEW, fields(**changes))
    assert response.status_code == 400
    assert field in response.context["form"].errors
    assert not BulkJob.objects.exists()


def test_the_followers_of_a_user(browser: Client, alice: User, bob: User, carol: User) -> None:
    """Exactly those who follow at this moment."""
    for follower in (bob, carol):
        do_follow(follower, "alice")
    browser.post(NEW, fields(audience="followers", username="alice"))
    text = read(browser, page_of(BulkJob.objects.get()))
    assert "2 people get it: the followers of alice." in text


def test_a_saved_filter(browser: Client, alice: User, staff: User) -> None:
    """Exactly those whom it matches at this moment."""
    found = SavedFilter.objects.create(name="The team", criteria={"staff": True})
    browser.post(NEW, fields(audience="filter", filter=found.pk))
    text = read(browser, page_of(BulkJob.objects.get()))
    assert "1 person gets it: the filter The team." in text


@pytest.mark.parametrize("content", ["{0}\n{1}\n", b"name,id\r\nalice,{0}\r\nbob,{1}\r\n"])
def test_a_list_of_ids(content: str | bytes, browser: Client, alice: User, bob: User) -> None:
    """Pasted, or as a file; the ids of nobody and those that stand twice are told."""
    text = content if isinstance(content, str) else content.decode()
    text = text.format(alice.pk, bob.pk) + (text.splitlines()[-1] + "\n").format(alice.pk, bob.pk)
    text += "x,999999\n" if isinstance(content, bytes) else "999999\n"
    browser.post(NEW, listed(text if isinstance(content, str) else text.encode()))
    job = BulkJob.objects.get()
    assert set(Recipient.objects.values_list("user_id", flat=True)) == {alice.pk, bob.pk}
    page = read(browser, page_of(job))
    assert "2 people get it: a list of users." in page
    assert "1 id was nobody's, or of inactive users, and left out." in page
    assert "1 id stood there twice" in page


def test_lines_without_an_id_are_named_and_left_out_when_wanted(
    browser: Client, alice: User, bob: User
) -> None:
    """Nothing is made before that: the form names the lines and asks."""
    text = f"{alice.pk}\nalice\n\n{bob.pk}\n-3\n"
    response = browser.post(NEW, listed(text))
    assert response.status_code == 400
    errors = response.context["form"].errors["ids"]
    assert [error.split(":")[0] for error in errors] == ["Line 2", "Line 5"]
    assert b"The other 2 lines have ids." in response.content
    assert not BulkJob.objects.exists()
    assert browser.post(NEW, listed(text, leave_out="on")).status_code == 302
    assert set(Recipient.objects.values_list("user_id", flat=True)) == {alice.pk, bob.pk}


def test_many_bad_lines_are_counted(browser: Client, alice: User) -> None:
    """Ten are named; of a file, it is asked for again."""
    response = browser.post(NEW, listed(f"{alice.pk}\n".encode() + b"alice\n" * 5_000))
    errors = response.context["form"].errors["file"]
    assert len(errors) == 11
    assert errors[-1] == "And 4,990 more lines without an id."
    assert b"choose it once more" in response.content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "This file is empty"),
        (b"\n\n \n", "No line of this list is an id"),
        (b"alice\nbob\n", "No line of this list is an id"),
        (b"1 2 abc 999\n", "write one id on each line"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "This is no text file"),
        (b"PK\x03\x04\x14\0\6\0", "an Excel file"),
        ("7\n8\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_is_no_list_is_refused(content: bytes, words: str, browser: Client) -> None:
    """The field says what it is and what to do; no box offers to go on."""
    response = browser.post(NEW, listed(content))
    assert response.status_code == 400
    (error, *_) = response.context["form"].errors["file"]
    assert words in error
    assert b"leave_out" not in response.content
    assert not BulkJob.objects.exists()


def test_a_file_that_is_too_large_is_refused(
    browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any of it is read."""
    monkeypatch.setattr(job_form, "UPLOAD_BYTES", 10)
    response = browser.post(NEW, listed(b"1\n" * 6))
    assert "split it" in response.context["form"].errors["file"][0]


def test_a_file_and_pasted_ids_at_once_are_refused(browser: Client, alice: User) -> None:
    """Which of them is meant nobody can know."""
    response = browser.post(NEW, listed(b"1\n", ids="2"))
    assert "Choose one" in response.context["form"].errors["ids"][0]


def test_the_list_goes_on_by_keyset(browser: Client, staff: User) -> None:
    """Newest first, 25 on a page; each page leads to the next older one."""
    jobs = [
        do_create_job(staff, kind=MESSAGE, context=TEXT, audience={"type": "all"}).job.pk
        for _ in range(30)
    ]
    page = browser.get(NEW)
    assert [row.job.pk for row in page.context["jobs"]] == jobs[:4:-1]
    page = browser.get(NEW, {"before": page.context["older"]})
    assert [row.job.pk for row in page.context["jobs"]] == jobs[4::-1]
    assert page.context["older"] is None


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "٣", "0", ""])
def test_any_address_of_the_list_is_answered(before: str, browser: Client, job: BulkJob) -> None:
    """What is no id is the first page."""
    assert browser.get(NEW, {"before": before}).status_code == 200


def test_what_staff_wrote_is_text(browser: Client, staff: User) -> None:
    """Markup is shown, not obeyed, in the list and on the job's page."""
    text = {**TEXT, "title": "<script>alert(1)</script>"}
    job = do_create_job(staff, kind=MESSAGE, context=text, audience={"type": "all"}).job
    for path in (NEW, page_of(job)):
        page = browser.get(path).content
        assert b"<script>alert" not in page
        assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_draft_is_written_anew(browser: Client, job: BulkJob) -> None:
    """Saving shows the new text; nothing is sent."""
    browser.post(page_of(job), saying(job, "save", title="At eleven"))
    job.refresh_from_db()
    assert (job.state, job.context["title"]) == ("draft", "At eleven")


def test_a_draft_that_was_looked_at_is_started(browser: Client, job: BulkJob) -> None:
    """Its page then shows the bar instead of the form."""
    response = browser.post(page_of(job), saying(job, "start"), follow=True)
    job.refresh_from_db()
    assert job.state == "planning"
    assert b"The job has begun." in response.content
    assert b"message-form" not in response.content


def test_a_text_that_nobody_looked_at_is_not_sent(browser: Client, job: BulkJob) -> None:
    """It is saved and shown; the next click sends it."""
    for expected in ("draft", "planning"):
        browser.post(page_of(job), saying(job, "start", body="At eleven."))
        job.refresh_from_db()
        assert (job.state, job.context["body"]) == (expected, "At eleven.")


def test_a_text_that_cannot_be_made_is_told_before_it_is_sent(
    browser: Client, job: BulkJob
) -> None:
    """The preview says why."""
    response = browser.post(page_of(job), saying(job, "save", url="nowhere"), follow=True)
    assert response.content.count(b"is neither a path") == 1
    assert actions(browser, job) == {"save", "cancel"}
    response = browser.post(page_of(job), saying(job, "start", url="nowhere"), follow=True)
    assert b"Nobody could be told this" in response.content
    job.refresh_from_db()
    assert job.state == "draft"


def test_a_text_that_cannot_be_made_for_whoever_looks_may_be_sent(
    browser: Client, job: BulkJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may be luckier: the page asks twice."""
    monkeypatch.setattr(StaffMessage, "title", "{{ recipient.first_name }}")
    page = browser.get(page_of(job)).content
    assert b"For you this text cannot be made" in page
    assert b"Send all the same" in page


def test_a_draft_that_is_made_wrong_stays(browser: Client, job: BulkJob) -> None:
    """400 with the field's fault."""
    response = browser.post(page_of(job), saying(job, "start", title=""))
    assert response.status_code == 400
    assert f"{MESSAGE}:title" in response.context["form"].errors
    job.refresh_from_db()
    assert job.context == TEXT


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (JobState.DRAFT, {"save", "start", "cancel"}),
        (JobState.PLANNING, {"cancel"}),
        (JobState.RUNNING, {"pause", "cancel"}),
        (JobState.PAUSED, {"resume", "cancel"}),
        (JobState.FINISHED, set()),
        (JobState.CANCELLED, set()),
    ],
)
def test_buttons_fit_the_state(
    state: JobState, expected: set[str], browser: Client, job: BulkJob
) -> None:
    """Only what the job can do from where it is."""
    assert actions(browser, put(job, state)) == expected


def test_whoever_was_slower_is_told(browser: Client, job: BulkJob) -> None:
    """A button of an old page changes nothing and says how the job stands."""
    put(job, JobState.FINISHED)
    for action in ("start", "save", "pause", "resume", "cancel"):
        response = browser.post(page_of(job), saying(job, action, title="Changed"), follow=True)
        assert response.status_code == 200
        assert b"This job is finished: it cannot" in response.content
    job.refresh_from_db()
    assert (job.state, job.context) == ("finished", TEXT)


def test_a_job_is_paused_resumed_and_cancelled(browser: Client, staff: User, job: BulkJob) -> None:
    """Each button does its one thing."""
    put(do_start_job(staff, job.pk), JobState.RUNNING)
    for action, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        browser.post(page_of(job), {"action": action})
        job.refresh_from_db()
        assert job.state == state


def test_failures_and_parked_chunks_are_shown_and_retried(
    browser: Client, alice: User, job: BulkJob
) -> None:
    """The first hundred with their total, names where there are any, and the way to try again."""
    put(job, JobState.FINISHED, total=300)
    done = Chunk.objects.create(
        job=job, number=1, user_ids=[], size=150, state=ChunkState.DONE, failed=150
    )
    Chunk.objects.create(
        job=job,
        number=2,
        user_ids=[],
        size=150,
        state=ChunkState.PARKED,
        attempts=5,
        error="ValueError: no <b>luck</b>",
    )
    Failure.objects.bulk_create(
        Failure(job=job, chunk=done, user_id=user_id, reason="RenderFailed: nothing to say")
        for user_id in [alice.pk, *range(10_000, 10_149)]
    )
    page = browser.get(page_of(job))
    assert len(page.context["failures"]) == 100
    text = read(browser, page_of(job))
    assert "Could not be told 150 The first 100 of them." in text
    assert f"alice {alice.pk} RenderFailed: nothing to say" in text
    assert "Parked chunks 1" in text
    assert "2 150 5 ValueError: no &lt;b&gt;luck&lt;/b&gt;" in text
    assert actions(browser, job) == {"retry"}
    browser.post(page_of(job), {"action": "retry"})
    job.refresh_from_db()
    assert job.state == "running"


@pytest.mark.parametrize(
    ("failed", "parked", "words", "trouble"),
    [
        (0, 0, "Finished", ""),
        (2, 0, "Finished, 2 failed", "some"),
        (0, 2, "Finished, 2 failed", "some"),
        (3, 0, "Finished, 3 failed", "all"),
    ],
)
def test_a_job_that_failed_does_not_look_well(
    failed: int, parked: int, words: str, trouble: str, browser: Client, job: BulkJob
) -> None:
    """The state counts who could not be told, and the bar is not the green one."""
    put(job, JobState.FINISHED, total=3)
    counts = {"failed": failed, "delivered": 3 - parked - failed}
    Chunk.objects.create(
        job=job, number=1, user_ids=[], size=3 - parked, state=ChunkState.DONE, **counts
    )
    if parked:
        Chunk.objects.create(job=job, number=2, user_ids=[], size=parked, state=ChunkState.PARKED)
    for path in (NEW, page_of(job)):
        page = browser.get(path).content.decode()
        assert f">{words}</span>" in page
        assert page.count(f'data-state="finished" data-trouble="{trouble}"') == 2


def test_a_job_is_called_by_its_title(browser: Client, job: BulkJob) -> None:
    """As its notification would be; without one, as its kind."""
    for path in (NEW, page_of(job)):
        assert f"#{job.pk} Maintenance Draft" in read(browser, path)
    job.context = {}
    job.save()
    for path in (NEW, page_of(job)):
        assert f"#{job.pk} A message from the team Draft" in read(browser, path)


def test_how_far_it_is_is_there_without_a_script(browser: Client, job: BulkJob) -> None:
    """The bar, the counts, the pace and what the script begins with."""
    put(job, JobState.PAUSED, total=3_000)
    Chunk.objects.create(
        job=job,
        number=1,
        user_ids=[],
        size=1_000,
        state=ChunkState.DONE,
        delivered=990,
        muted=7,
        gone=2,
        failed=1,
    )
    text = read(browser, page_of(job))
    assert "33 % 1,000 of 3,000" in text
    assert "Delivered 990" in text
    page = browser.get(page_of(job))
    assert b'<progress class="job-bar" id="job-bar" max="100" value="33.3"' in page.content
    assert (page.context["job_data"]["done"], page.context["job_data"]["state"]) == (
        1_000,
        "paused",
    )


@pytest.mark.parametrize("action", ["", "explode", "delete"])
def test_an_unknown_action_is_refused(action: str, browser: Client, job: BulkJob) -> None:
    """No form of ours sends it."""
    assert browser.post(page_of(job), {"action": action}).status_code == 400


@pytest.mark.parametrize("number", [10**6, 2**63, 10**30])
def test_an_unknown_job_is_not_there(number: int, browser: Client) -> None:
    """404, whatever the number."""
    assert browser.get(f"/staff/bulk/{number}/").status_code == 404


def test_a_filter_is_saved_with_its_number_of_users(
    browser: Client, alice: User, bob: User, staff: User
) -> None:
    """The number is exact, and follows the users."""
    group = Group.objects.create(name="Ringers")
    alice.groups.add(group)
    browser.post(
        "/staff/filters/",
        {"name": "Ringers", "group": group.pk, "staff": "no", "joined_after": "2020-01-31"},
    )
    assert SavedFilter.objects.get().criteria == {
        "group": "Ringers",
        "staff": False,
        "joined_after": "2020-01-31T00:00:00+00:00",
    }
    text = read(browser, "/staff/filters/")
    assert "is not staff" in text
    assert "joined since 31 Jan 2020, 00:00" in text
    assert "1 user " in text
    bob.groups.add(group)
    assert "2 users " in read(browser, "/staff/filters/")


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": "", "staff": "yes"}, "name"),
        ({"name": "x" * 101, "staff": "yes"}, "name"),
        ({"name": "\u200b", "staff": "yes"}, "name"),
        ({"name": "Taken", "staff": "yes"}, "name"),
        ({"name": "Nothing asked"}, "__all__"),
        ({"name": "Far", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"name": "Group", "group": "99"}, "group"),
        ({"name": "Day", "joined_after": "yesterday"}, "joined_after"),
        ({"name": "Odd", "staff": "maybe"}, "staff"),
    ],
)
def test_a_filter_that_cannot_be_taken_is_refused(
    form: dict[str, str], field: str, browser: Client
) -> None:
    """400 with the field's fault; nothing is saved."""
    SavedFilter.objects.create(name="Taken", criteria={"staff": True})
    response = browser.post("/staff/filters/", form)
    assert response.status_code == 400
    assert field in response.context["form"].errors
    assert SavedFilter.objects.count() == 1


def test_the_first_day_of_all_is_shown_in_every_time_zone(browser: Client, staff: User) -> None:
    """West of where it was written it would lie before the calendar begins."""
    SavedFilter.objects.create(name="All", criteria={"joined_after": "0001-01-01T00:00:00+00:00"})
    User.objects.filter(pk=staff.pk).update(time_zone="America/New_York")
    assert "joined since 1 Jan 0001, 00:00" in read(browser, "/staff/filters/")


def test_an_empty_form_is_no_filter(browser: Client) -> None:
    """400, with what is missing."""
    response = browser.post("/staff/filters/", {})
    assert response.status_code == 400
    assert "name" in response.context["form"].errors


def test_a_filter_is_deleted_once(browser: Client) -> None:
    """The second time says that it is gone."""
    found = SavedFilter.objects.create(name="The team", criteria={"staff": True})
    for words in (b"The filter is deleted.", b"The filter was deleted before."):
        response = browser.post("/staff/filters/", {"delete": found.pk}, follow=True)
        assert words in response.content
    assert not SavedFilter.objects.exists()
    for number in ("all", "", "-1", "٣", "9" * 19, "9" * 5_000):
        assert browser.post("/staff/filters/", {"delete": number}).status_code == 302


def test_a_filter_whose_group_is_gone_is_still_shown(browser: Client) -> None:
    """It says why it chooses nobody, and can be deleted."""
    SavedFilter.objects.create(name="Ringers", criteria={"group": "Ringers"})
    assert "There is no such group" in read(browser, "/staff/filters/")


def select(browser: Client, users: list[User], **more: str) -> Any:
    """Choose users in the administration's list, and the action for them."""
    return browser.post(
        reverse("admin:accounts_user_changelist"),
        {"action": "notify_selected", "_selected_action": [u.pk for u in users], **more},
    )


def test_users_selected_in_the_administration_become_a_draft(
    browser: Client, alice: User, bob: User, carol: User
) -> None:
    """Its text is chosen on its page; before that it cannot be sent."""
    response = select(browser, [alice, bob])
    job = BulkJob.objects.get()
    assert response["Location"] == page_of(job)
    assert set(Recipient.objects.values_list("user_id", flat=True)) == {alice.pk, bob.pk}
    text = read(browser, page_of(job))
    assert "There is no text yet" in text
    assert actions(browser, job) == {"save", "cancel"}
    browser.post(page_of(job), saying(job, "save"))
    assert "Send to 2 people" in read(browser, page_of(job))


def test_all_users_across_the_pages_can_be_selected(browser: Client, alice: User) -> None:
    """All that the list matches, not the rows of one page; nobody is loaded for it."""
    User.objects.bulk_create(User(username=f"many-{number}") for number in range(250))
    response = browser.post(
        reverse("admin:accounts_user_changelist") + "?q=many",
        {"action": "notify_selected", "select_across": "1", "_selected_action": [alice.pk]},
    )
    assert response.status_code == 302
    assert Recipient.objects.count() == 250
    assert not Recipient.objects.filter(user_id=alice.pk).exists()


def test_a_job_of_nobody_cannot_be_sent(browser: Client, alice: User) -> None:
    """Its page says why, and so does a click that comes all the same."""
    browser.post(NEW, fields(audience="followers", username="alice"))
    job = BulkJob.objects.get()
    assert actions(browser, job) == {"save", "cancel"}
    response = browser.post(page_of(job), saying(job, "start"), follow=True)
    assert b"Nobody would be told" in response.content


def test_a_job_that_code_started_is_listed(browser: Client, staff: User, job: BulkJob) -> None:
    """Its kind need not be offered; pausing works as with any other."""
    put(job, JobState.RUNNING, kind="notifications.announcement", context={"message": "x"})
    assert f"#{job.pk} Announcement Running" in read(browser, NEW)
    assert "Kind Announcements (notifications.announcement)" in read(browser, page_of(job))
    do_pause_job(staff, job.pk)
    assert actions(browser, job) == {"resume", "cancel"}
