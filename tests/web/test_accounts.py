"""Signing up, in and out; the account's settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.signals import user_login_failed
from django.test import Client
from pytest_django import Settings

from shared.accounts.actions import do_ban, do_deactivate, do_unban
from shared.accounts.models import User
from shared.chat.actions import do_send_message
from shared.chat.models import ChatRoom, Message

type SignIn = Callable[[User], Client]

PASSWORD = "seven red bicycles"


def sign_up(browser: Client, username: str, second: str = PASSWORD) -> object:
    return browser.post(
        "/accounts/signup/",
        {"username": username, "password1": PASSWORD, "password2": second},
    )


def test_signing_up_signs_in(db: None) -> None:
    """A new user stands in the list of rooms at once."""
    browser = Client()
    response = sign_up(browser, "dora")
    assert response.headers["Location"] == "/rooms/"
    assert browser.get("/api/v1/session").json()["user"]["username"] == "dora"
    assert User.objects.get(username="dora").is_staff is False


@pytest.mark.parametrize("name", ["System", "SYSTEM", "system", "everyone"])
def test_reserved_names_are_refused(name: str, db: None) -> None:
    """Nobody can be taken for the server."""
    response = sign_up(Client(), name)
    assert response.status_code == 400
    assert "username" in response.context["form"].errors
    assert b"This name is reserved" in response.content
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({}, "username"),
        ({"username": "al ice"}, "username"),
        ({"username": "a" * 151}, "username"),
        ({"username": "a\0b"}, "username"),
        ({"username": "Ｓystem"}, "username"),
        ({"username": "dora", "password1": "12345678", "password2": "12345678"}, "password2"),
        ({"username": "dora", "password1": PASSWORD, "password2": "other"}, "password2"),
    ],
)
def test_a_bad_form_comes_back_with_its_faults(form: dict[str, str], field: str, db: None) -> None:
    """400 with the field named; nothing is stored."""
    response = Client().post("/accounts/signup/", form)
    assert response.status_code == 400
    assert field in response.context["form"].errors
    assert not User.objects.exists()


def test_a_name_is_taken_once_whatever_its_case(alice: User) -> None:
    """Alice cannot be impersonated by ALICE."""
    response = sign_up(Client(), "ALICE")
    assert response.status_code == 400
    assert User.objects.count() == 1


def test_signing_in_and_out(alice: User) -> None:
    """The session begins with the right password and ends with the button, which is a POST."""
    browser = Client()
    wrong = browser.post("/accounts/login/", {"username": "alice", "password": "no"})
    assert wrong.status_code == 400
    assert wrong.context["form"].non_field_errors()
    right = browser.post(
        "/accounts/login/?next=/rooms/lobby/",
        {"username": "alice", "password": "alice's own words", "next": "/rooms/lobby/"},
    )
    assert right.headers["Location"] == "/rooms/lobby/"
    assert browser.get("/accounts/logout/").status_code == 405
    assert browser.get("/api/v1/session").status_code == 200
    assert browser.post("/accounts/logout/").headers["Location"] == "/accounts/login/"
    assert browser.get("/api/v1/session").status_code == 401


def test_the_demo_says_how_to_sign_in(db: None, settings: Settings) -> None:
    """Its users and their password stand on the page, and never outside the demo."""
    hint = b"Demo: sign in as alice, bob, carol or admin, password carillon."
    for demo in (True, False):
        settings.CARILLON_DEMO = demo
        wrong = {"username": "alice", "password": "no"}
        assert (hint in Client().get("/accounts/login/").content) is demo
        assert (hint in Client().post("/accounts/login/", wrong).content) is demo
    assert b"password carillon" not in Client().get("/accounts/login/").content


def test_signing_in_leads_to_this_site_alone(alice: User) -> None:
    """A link from elsewhere cannot send people on to elsewhere."""
    response = Client().post(
        "/accounts/login/",
        {
            "username": "alice",
            "password": "alice's own words",
            "next": "https://evil.example.org/",
        },
    )
    assert response.headers["Location"] == "/rooms/"


def test_a_deactivated_user_is_signed_out(alice: User, signed_in: SignIn) -> None:
    """The next request of an old session finds nobody."""
    browser = signed_in(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert browser.get("/api/v1/session").status_code == 401


CREDENTIALS = {"username": "alice", "password": "alice's own words"}


def faults(form: dict[str, str]) -> list[str]:
    """Sign in, be refused, and return what the page says."""
    response = Client().post("/accounts/login/", form)
    assert response.status_code == 400
    return list(response.context["form"].non_field_errors())


def test_a_banned_user_is_told_why(alice: User, staff: User, signed_in: SignIn) -> None:
    """The old session ends; who knows the password reads when and why, as text."""
    browser = signed_in(alice)
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")
    do_ban(staff, alice, "Sold <b>watches</b>.")
    at = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
    User.objects.filter(pk=alice.pk).update(banned_at=at)
    assert browser.get("/api/v1/session").status_code == 401
    assert browser.get("/rooms/").headers["Location"].startswith("/accounts/login/")
    [words] = faults(CREDENTIALS)
    assert words.startswith("This account was banned on March 2, 2026: Sold <b>watches</b>. ")
    page = Client().post("/accounts/login/", CREDENTIALS).content
    assert b"Sold &lt;b&gt;watches&lt;/b&gt;." in page
    do_unban(staff, alice)
    assert Client().post("/accounts/login/", CREDENTIALS).status_code == 302


def test_a_deactivated_user_is_told_so(alice: User, staff: User) -> None:
    """It is said in its own words, without blame."""
    do_deactivate(staff, alice)
    [words] = faults(CREDENTIALS)
    assert words.startswith("This account was deactivated.")


def test_a_wrong_password_tells_nothing(
    alice: User, bob: User, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a banned, a deactivated, an active and an unknown name: same words, one hash each."""
    do_ban(staff, alice, "Spam")
    do_deactivate(staff, bob)
    computed = 0
    encode = MD5PasswordHasher.encode

    def counted(*args: Any, **kwargs: Any) -> str:
        nonlocal computed
        computed += 1
        return encode(*args, **kwargs)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    failed: list[object] = []

    def note(credentials: dict[str, object], **_: object) -> None:
        failed.append(credentials["username"])

    user_login_failed.connect(note)
    said = set()
    names = ["alice", "bob", "root", "nobody"]
    for number, name in enumerate(names, start=1):
        said.add(tuple(faults({"username": name, "password": "wrong"})))
        assert computed == number
    assert len(said) == 1
    assert failed == names


def test_a_file_with_all_that_is_kept(
    alice: User, bob: User, lobby: ChatRoom, signed_in: SignIn
) -> None:
    """It is JSON to download, of the reader alone, by GET and by POST."""
    do_send_message(alice, "lobby", "words of alice")
    do_send_message(bob, "lobby", "words of bob")
    for method in ("get", "post"):
        response = getattr(signed_in(bob), method)("/accounts/data/")
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert "no-store" in response.headers["Cache-Control"]
        assert response.json()["account"]["username"] == "bob"
        assert b"words of bob" in response.content
        assert b"alice" not in response.content
    assert Client().get("/accounts/data/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_deleting_ones_account(alice: User, lobby: ChatRoom, signed_in: SignIn) -> None:
    """The page says what happens; with the password it happens, on all devices."""
    browser, phone = signed_in(alice), signed_in(alice)
    do_send_message(alice, "lobby", "words")
    assert b"cannot be undone" in browser.get("/accounts/delete/").content
    for wrong in ({}, {"password": ""}, {"password": "wrong"}):
        response = browser.post("/accounts/delete/", wrong)
        assert response.status_code == 400
        assert response.context["form"].errors["password"]
    response = browser.post("/accounts/delete/", {"password": CREDENTIALS["password"]}, follow=True)
    assert response.redirect_chain == [("/accounts/login/", 302)]
    assert b"Your account is deleted." in response.content
    assert not User.objects.filter(username="alice").exists()
    for each in (browser, phone):
        assert each.get("/api/v1/session").status_code == 401
    assert faults(CREDENTIALS) == faults({"username": "nobody", "password": "x"})
    assert Message.objects.get().content == ""


def test_the_settings_lead_there(alice: User, signed_in: SignIn) -> None:
    """Both pages are found from the settings."""
    page = signed_in(alice).get("/accounts/settings/").content
    assert b'href="/accounts/data/"' in page
    assert b'href="/accounts/delete/"' in page


def test_settings_are_kept_and_confirmed(alice: User, signed_in: SignIn) -> None:
    """Language and time zone are stored; the next page says so."""
    response = signed_in(alice).post(
        "/accounts/settings/", {"language": "en", "time_zone": "Asia/Tokyo"}, follow=True
    )
    assert b"Your settings are saved." in response.content
    alice.refresh_from_db()
    assert alice.time_zone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"language": "xx", "time_zone": "UTC"}, "language"),
        ({"language": "en", "time_zone": "../../etc/passwd"}, "time_zone"),
        ({}, "time_zone"),
    ],
)
def test_settings_that_do_not_exist_are_refused(
    form: dict[str, str], field: str, alice: User, signed_in: SignIn
) -> None:
    """400 with the field named; the account stays as it was."""
    response = signed_in(alice).post("/accounts/settings/", form)
    assert response.status_code == 400
    assert field in response.context["form"].errors
    alice.refresh_from_db()
    assert alice.time_zone == "UTC"


def test_a_form_changes_only_its_own_fields(alice: User, signed_in: SignIn) -> None:
    """Nobody makes themselves staff."""
    signed_in(alice).post(
        "/accounts/settings/",
        {"language": "en", "time_zone": "UTC", "is_staff": "on", "is_superuser": "on"},
    )
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser) == (False, False)
