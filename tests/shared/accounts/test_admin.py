from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from shared.accounts.actions import do_ban, do_deactivate, do_follow
from shared.accounts.keys import Scope, find_key
from shared.accounts.models import ApiKey, User
from shared.chat.actions import do_send_message
from shared.chat.models import ChatRoom, Message

pytestmark = pytest.mark.django_db(transaction=True)
type SignedIn = Callable[[User], Client]

CHANGELIST = "/admin/accounts/user/"
KEYS = "/admin/accounts/apikey/"


@pytest.fixture(autouse=True)
def content_types() -> Iterator[None]:
    """Keep no id of a row that another test's end takes away."""
    ContentType.objects.clear_cache()
    yield
    ContentType.objects.clear_cache()


@pytest.fixture
def browser(signed_in: SignedIn, staff: User) -> Client:
    return signed_in(staff)


@pytest.fixture
def clerk(signed_in: SignedIn) -> Client:
    """The browser of one of the staff who is no superuser and may do all that can be granted."""
    create_permissions(apps.get_app_config("accounts"), verbosity=0)
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    return signed_in(user)


def buttons(browser: Client, user: User) -> set[str]:
    page = browser.get(reverse("admin:accounts_user_change", args=[user.pk])).content.decode()
    return set(re.findall(r'href="/admin/accounts/user/(\w+)/\?ids=\d+"', page))


def test_buttons(browser: Client, alice: User, bob: User, carol: User, staff: User) -> None:
    """A user's page offers what can be done to the account as it is."""
    do_ban(staff, bob, "Spam")
    do_deactivate(staff, carol)
    assert buttons(browser, alice) == {"ban", "deactivate"}
    assert buttons(browser, bob) == {"unban", "reactivate"}
    assert buttons(browser, carol) == {"reactivate"}


def test_ban(browser: Client, alice: User, staff: User) -> None:
    """The page asks for a reason, says what is wrong with it, does it, and it is in the log."""
    address = f"/admin/accounts/user/ban/?ids={alice.pk}"
    page = browser.get(address)
    assert page.status_code == 200
    assert b'name="reason"' in page.content
    for reason in ("", "x" * 201):
        refused = browser.post(address, {"reason": reason})
        assert refused.status_code == 200
        assert refused.context["form"].errors["reason"]
    browser.post(address, {"reason": "Spam"})
    alice.refresh_from_db()
    assert (alice.is_active, alice.ban_reason, alice.banned_by) == (False, "Spam", staff)
    assert LogEntry.objects.get().object_id == str(alice.pk)


def test_actions_of_the_list(browser: Client, alice: User, bob: User, staff: User) -> None:
    """Several users at once: the list's action leads to the page that asks."""
    chosen = {"_selected_action": [alice.pk, bob.pk, staff.pk]}
    for name, active in (("deactivate", False), ("reactivate", True)):
        asked = browser.post(CHANGELIST, {"action": name, **chosen})
        assert asked.status_code == 302
        page = browser.post(asked.headers["Location"], follow=True)
        assert b"This is your own account" in page.content
        found = User.objects.filter(pk__in=[alice.pk, bob.pk])
        assert [user.is_active for user in found] == [active, active]
    staff.refresh_from_db()
    assert staff.is_active


@pytest.mark.parametrize("ids", ["", "0", "x", "٣", "-1", "9" * 30, ",", "99999999"])
def test_nobody_chosen(browser: Client, ids: str) -> None:
    """An address that names no user is no page."""
    assert browser.get("/admin/accounts/user/ban/", {"ids": ids}).status_code == 404


def test_activity_is_no_field(browser: Client, alice: User) -> None:
    """The form cannot do what only the actions may: they tell the gateways."""
    form = {
        "username": "alice",
        "language": "en",
        "time_zone": "UTC",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00",
        "banned_at": "2026-01-01",
    }
    answer = browser.post(reverse("admin:accounts_user_change", args=[alice.pk]), form)
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert (alice.is_active, alice.banned_at) == (True, None)


def test_who_may_not(signed_in: SignedIn, clerk: Client, alice: User, staff: User) -> None:
    """Staff need the permission, and touch no superuser."""
    plain = signed_in(User.objects.create_user("plain", is_staff=True))
    assert (
        plain.post(f"/admin/accounts/user/ban/?ids={alice.pk}", {"reason": "x"}).status_code == 403
    )
    page = clerk.post(
        f"/admin/accounts/user/ban/?ids={staff.pk},{alice.pk}", {"reason": "x"}, follow=True
    )
    assert b"only a superuser may" in page.content
    staff.refresh_from_db()
    alice.refresh_from_db()
    assert (staff.is_active, alice.is_active) == (True, False)


def test_deleting(browser: Client, alice: User, bob: User, lobby: ChatRoom) -> None:
    """Deleting one or several is what deleting means everywhere: their words go as well."""
    for user in (alice, bob):
        do_send_message(user, "lobby", f"words of {user}")
    place = reverse("admin:accounts_user_delete", args=[alice.pk])
    assert browser.get(place).status_code == 200
    assert browser.post(place, {"post": "yes"}).status_code == 302
    form = {"action": "delete_selected", "_selected_action": [bob.pk]}
    assert browser.post(CHANGELIST, form).status_code == 200
    assert browser.post(CHANGELIST, form | {"post": "yes"}).status_code == 302
    assert set(User.objects.values_list("username", flat=True)) == {"root"}
    assert set(Message.objects.values_list("content", flat=True)) == {""}


def test_who_is_not_deleted(clerk: Client, browser: Client, alice: User, staff: User) -> None:
    """Neither oneself nor, by somebody who is none, a superuser; not among others either."""
    assert browser.post(
        reverse("admin:accounts_user_delete", args=[staff.pk]), {"post": "yes"}
    ).status_code in {302, 403}
    form = {"action": "delete_selected", "_selected_action": [alice.pk, staff.pk], "post": "yes"}
    for each in (clerk, browser):
        each.post(CHANGELIST, form)
    assert {"alice", "root"} <= set(User.objects.values_list("username", flat=True))


def test_new_key(browser: Client, alice: User, caplog: pytest.LogCaptureFixture) -> None:
    """The key is on the page that follows, in no cookie, no row and no log, and never again."""
    caplog.set_level(logging.DEBUG)
    page = browser.get(f"{KEYS}add/").content.decode()
    assert page.count('name="scopes"') == len(Scope)
    form = {"name": "Billing", "user": alice.pk, "scopes": ["rooms:read", "posts:write"]}
    answer = browser.post(f"{KEYS}add/", form)
    assert answer.status_code == 200
    [text] = re.findall(r">(ck_[\w-]+)<", answer.content.decode())
    assert "no-store" in answer.headers["Cache-Control"]
    found = find_key(text)
    assert found is not None
    assert (found.user, found.scopes) == (alice, ["rooms:read", "posts:write"])
    assert not any(text in str(cookie) for cookie in browser.cookies.values())
    assert text not in caplog.text
    assert text not in "".join(map(str, LogEntry.objects.values_list("object_repr", flat=True)))
    for place in (KEYS, f"{KEYS}{found.pk}/change/", f"{KEYS}add/"):
        assert text[13:] not in browser.get(place).content.decode()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "\u200b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"user": 99_999_999}, "user"),
    ],
)
def test_key_is_refused(
    browser: Client, alice: User, change: dict[str, object], field: str
) -> None:
    """What the action would refuse is an error of its field."""
    form = {"name": "Billing", "user": alice.pk, "scopes": ["rooms:read"], **change}
    answer = browser.post(f"{KEYS}add/", form)
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors[field]
    assert not ApiKey.objects.exists()


def test_superusers_key(clerk: Client, staff: User) -> None:
    """Nobody gets a superuser's power by making a key."""
    form = {"name": "Power", "user": staff.pk, "scopes": ["bulk:write"]}
    answer = clerk.post(f"{KEYS}add/", form)
    assert answer.context["adminform"].form.errors["user"]
    assert not ApiKey.objects.exists()


def test_keys_are_revoked_and_never_changed(browser: Client, alice: User) -> None:
    """The list finds keys and revokes them; nothing else can be done to one."""
    form = {"name": "Billing", "user": alice.pk, "scopes": ["rooms:read"]}
    browser.post(f"{KEYS}add/", form)
    key = ApiKey.objects.get()
    for query in ({"q": key.prefix}, {"q": "billing"}, {"q": "alice"}, {"revoked_at__isempty": 1}):
        assert b"Billing" in browser.get(KEYS, query).content
    assert browser.post(f"{KEYS}{key.pk}/change/", form | {"name": "Other"}).status_code == 403
    assert browser.post(f"{KEYS}{key.pk}/delete/", {"post": "yes"}).status_code == 403
    revoke = {"action": "revoke", "_selected_action": [key.pk]}
    assert browser.post(KEYS, revoke).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.revoked_at is not None) == ("Billing", True)


def test_follows(browser: Client, alice: User, bob: User) -> None:
    """Who follows whom can be looked up and not changed."""
    do_follow(alice, "bob")
    assert b"alice" in browser.get("/admin/accounts/follow/", {"q": "alice"}).content
    assert browser.get("/admin/accounts/follow/add/").status_code == 403
