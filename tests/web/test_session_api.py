"""`/api/v1/session`: who is asking."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from shared.accounts.models import User

type SignIn = Callable[[User], Client]


def test_it_names_the_user(alice: User, staff: User, signed_in: SignIn) -> None:
    """Id, name, and whether they are staff."""
    for user in (alice, staff):
        answer = signed_in(user).get("/api/v1/session").json()
        assert answer == {
            "user": {"id": user.pk, "username": user.username, "staff": user.is_staff}
        }


def test_strangers_are_told_to_sign_in(db: None) -> None:
    """401 in the one shape, with no redirect that a script would follow."""
    response = Client().get("/api/v1/session")
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "unauthenticated"


def test_a_forged_session_is_a_strangers(db: None) -> None:
    """An unknown session id is nobody, not an error."""
    browser = Client()
    browser.cookies["carillon_session"] = "x" * 500
    assert browser.get("/api/v1/session").status_code == 401
