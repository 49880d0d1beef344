"""Signing up, in and out; the account's settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from shared.accounts.models import User

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
