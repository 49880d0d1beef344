from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.db.models.options import Options
from django.test import Client
from django.urls import reverse

from shared.accounts.actions import do_follow, do_make_key
from shared.accounts.keys import Scope
from shared.accounts.models import User
from shared.bulk.actions import do_fan_out
from shared.bulk.filters import do_save_filter
from shared.bulk.lanes import drain
from shared.bulk.models import BulkJob
from shared.chat.actions import do_send_message
from shared.chat.models import ChatRoom, Message
from shared.notifications.actions import do_announce, do_archive, do_set_preference
from shared.notifications.models import Notification
from shared.posts.actions import do_comment, do_create_post
from shared.realtime.history import history
from shared.realtime.models import Stream
from tests.team.kinds import Touchy

pytestmark = pytest.mark.django_db
type SignedIn = Callable[[User], Client]

OURS = [model._meta for model in admin.site._registry if model.__module__.startswith("shared.")]


@pytest.fixture
def browser(signed_in: SignedIn, staff: User, lobby: ChatRoom) -> Client:
    """A staff member's browser, with something to look at in each list."""
    do_send_message(staff, "lobby", "Hello")
    do_announce(staff, "Cake")
    do_comment(staff, do_create_post(staff, "Bells").pk, "They ring.")
    follower = User.objects.create_user("follower")
    do_follow(follower, staff.username)
    do_make_key(staff, follower, "Billing", [Scope.ROOMS_READ])
    do_set_preference(follower, "polls", False)
    do_save_filter(staff, "The staff", {"staff": True})
    # Fails for whom it is not dear to, so that there is a failure too.
    User.objects.create_user("xenia")
    drain(do_fan_out(staff, Touchy, {}, {"type": "all"}).pk)
    return signed_in(staff)


def test_all_are_there() -> None:
    """What the system keeps can be looked at."""
    assert {options.label for options in OURS} == {
        "accounts.ApiKey",
        "accounts.Follow",
        "accounts.User",
        "bulk.BulkJob",
        "bulk.Chunk",
        "bulk.Failure",
        "bulk.SavedFilter",
        "chat.ChatRoom",
        "chat.Message",
        "notifications.Announcement",
        "notifications.Notification",
        "notifications.Preference",
        "posts.Comment",
        "posts.Post",
        "realtime.Deployment",
        "realtime.Stream",
    }


@pytest.mark.parametrize("options", OURS, ids=lambda options: options.label)
def test_lists_and_rows(browser: Client, options: Options) -> None:
    """Each list loads, searches with any text and opens its rows."""
    place = f"admin:{options.app_label}_{options.model_name}"
    assert browser.get(reverse(f"{place}_changelist")).status_code == 200
    search = browser.get(reverse(f"{place}_changelist"), {"q": "o'\"%_\\ lo"})
    assert search.status_code == 200
    row = options.model.objects.first()
    assert row is not None
    assert browser.get(reverse(f"{place}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("term", ["root", " root ", "{job}", "nobody", "1" * 30])
def test_finding_notifications(browser: Client, staff: User, term: str) -> None:
    """They are found by a user's whole name, put away or not, or by a job's number."""
    job = BulkJob.objects.get()
    [hers] = Notification.objects.filter(user=staff, job_id=job.pk)
    do_archive(staff, [hers.pk])
    answer = browser.get(
        reverse("admin:notifications_notification_changelist"), {"q": term.format(job=job.pk)}
    )
    found = list(answer.context["cl"].result_list)
    if term == "{job}":
        assert found == list(Notification.objects.filter(job_id=job.pk))
        assert len(found) > 1
    else:
        assert found == ([hers] if "root" in term else [])


def test_long_lists(browser: Client, lobby: ChatRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are counted up to a bound, not whatever their number; behind it one searches."""
    monkeypatch.setattr("shared.realtime.admin._ROWS_COUNTED", 2)
    for n in range(3):
        do_send_message(lobby.created_by, "lobby", f"message {n}")
    answer = browser.get(reverse("admin:chat_message_changelist"))
    assert answer.context["cl"].result_count == 2
    found = browser.get(reverse("admin:chat_message_changelist"), {"q": "Hello"})
    assert found.context["cl"].result_count == 1


@pytest.mark.parametrize(
    "model",
    ["realtime_stream", "realtime_deployment", "chat_message", "notifications_announcement"],
)
def test_what_the_system_writes_is_read_only(browser: Client, model: str) -> None:
    """Rows that only the system writes cannot be added, deleted or changed here."""
    row = {
        "realtime_stream": Stream.objects.get(channel="chat:lobby").pk,
        "realtime_deployment": 1,
        "chat_message": Message.objects.get().pk,
        "notifications_announcement": 1,
    }[model]
    assert browser.get(reverse(f"admin:{model}_add")).status_code == 403
    assert browser.post(reverse(f"admin:{model}_delete", args=[row])).status_code in {302, 403}
    browser.post(
        reverse(f"admin:{model}_change", args=[row]),
        {"content": "forged", "message": "forged", "head": 99, "epoch": "forged"},
    )
    message = Message.objects.get()
    assert message.content == "Hello"
    stream = Stream.objects.get(channel="chat:lobby")
    assert stream.head == 1
    assert stream.epoch != "forged"


def test_deleting_a_message(browser: Client) -> None:
    """The list's action deletes for all readers: the log is redacted and told."""
    message = Message.objects.get()
    answer = browser.post(
        reverse("admin:chat_message_changelist"),
        {"action": "delete_messages", "_selected_action": [message.pk]},
    )
    assert answer.status_code == 302
    message.refresh_from_db()
    assert message.deleted_at is not None
    assert [p.data for p in history("chat:lobby").publications] == [
        f'{{"type":"deleted","id":{message.pk}}}'
    ] * 2


def test_creating_a_room(browser: Client, staff: User) -> None:
    """A room made here is like any other: its maker is known and its log begins."""
    form = {"name": "garden", "members_only": "on"}
    inline = {"membership_set-TOTAL_FORMS": 0, "membership_set-INITIAL_FORMS": 0}
    assert browser.post(reverse("admin:chat_chatroom_add"), form | inline).status_code == 302
    room = ChatRoom.objects.get(name="garden")
    assert room.created_by == staff
    assert Stream.objects.filter(channel="chat:garden").exists()
    browser.post(reverse("admin:chat_chatroom_change", args=[room.pk]), {"name": "other"} | inline)
    room.refresh_from_db()
    assert room.name == "garden"


@pytest.mark.parametrize("name", ["", "a b", "a\n", "ö", "x" * 101, "lobby"])
def test_room_names_here(browser: Client, name: str) -> None:
    """The form refuses what the action would refuse, with a field error."""
    inline = {"membership_set-TOTAL_FORMS": 0, "membership_set-INITIAL_FORMS": 0}
    answer = browser.post(reverse("admin:chat_chatroom_add"), {"name": name} | inline)
    if name == "a\n":
        # Forms strip blanks; what is left is a valid name.
        assert ChatRoom.objects.filter(name="a").exists()
        return
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["name"]


def test_strangers(signed_in: SignedIn, alice: User) -> None:
    """Whoever is not staff is sent to the sign-in page."""
    for options in OURS:
        place = f"admin:{options.app_label}_{options.model_name}_changelist"
        assert signed_in(alice).get(reverse(place)).status_code == 302
