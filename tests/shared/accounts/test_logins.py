"""Logins: what somebody connects with, asked for many at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import alogout
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from shared.accounts.actions import do_end_session, do_make_key, do_revoke_key
from shared.accounts.keys import Scope
from shared.accounts.logins import (
    Account,
    accounts_among,
    holders_of,
    is_outdated,
    login_of,
    mark_of,
    sessions_among,
)
from shared.accounts.models import ApiKey, User
from shared.accounts.sessions import SessionStore
from shared.realtime.controls import CONTROLS, Control, Disconnect, decode
from shared.realtime.history import history
from shared.tokens.grants import NO_ORIGIN, ConnectionToken, Origin

pytestmark = pytest.mark.django_db

type SignIn = Callable[[User], Client]


def told() -> list[Control]:
    return [decode(each.data) for each in history(CONTROLS).publications]


def session_of(browser: Client) -> str:
    key = browser.session.session_key
    assert key is not None
    return key


@pytest.fixture
def key(bob: User, staff: User) -> ApiKey:
    made, _ = do_make_key(staff, bob, "bot", [Scope.REALTIME_TOKEN])
    return made


def test_sessions(
    alice: User, signed_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Those that are there and have not expired, in one statement."""
    here, old, gone = (session_of(signed_in(alice)) for _ in range(3))
    Session.objects.filter(pk=old).update(expire_date=timezone.now() - timedelta(seconds=1))
    Session.objects.filter(pk=gone).delete()
    with django_assert_num_queries(1):
        assert sessions_among({here, old, gone}) == {here}


def test_accounts(
    alice: User, bob: User, staff: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Of those who are active, in one statement."""
    User.objects.filter(pk=bob.pk).update(is_active=False)
    User.objects.filter(pk=staff.pk).update(is_superuser=False)
    with django_assert_num_queries(1):
        assert accounts_among({alice.pk, bob.pk, staff.pk, 987_654}) == {
            alice.pk: Account(alice.password, is_staff=False, is_superuser=False),
            staff.pk: Account(staff.password, is_staff=True, is_superuser=False),
        }


def test_holders(
    key: ApiKey, bob: User, staff: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Of keys that were not revoked, in one statement; whether they are active is asked later."""
    other, _ = do_make_key(staff, bob, "another", [Scope.REALTIME_TOKEN])
    do_revoke_key(staff, other)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    with django_assert_num_queries(1):
        assert holders_of({key.pk, other.pk, 987_654}) == {key.pk: bob}


def test_marks_tell_no_secret() -> None:
    """What controls carry is stored and logged."""
    secret = "k" * 32
    marks = [mark_of(origin) for origin in (Origin(secret), Origin(key=7), NO_ORIGIN)]
    assert marks[1:] == ["key:7", ""]
    assert secret not in marks[0]
    assert len(set(marks)) == 3


def test_key_is_no_login_by_password(alice: User) -> None:
    """A new password changes nothing for servers."""
    assert login_of(alice, Origin(key=7)).password == ""
    assert login_of(alice, Origin("k" * 32)).password == login_of(alice, NO_ORIGIN).password != ""


@pytest.mark.parametrize(
    ("made", "origin", "outdated"),
    [
        (-1.0, NO_ORIGIN, True),
        (1.0, NO_ORIGIN, False),
        (None, NO_ORIGIN, False),
        (-1.0, Origin(key=7), False),
        (-1.0, Origin("k" * 32), False),
    ],
)
def test_outdated_tokens(alice: User, made: float | None, origin: Origin, outdated: bool) -> None:
    """Made before the password was set; what was got with something ends with that instead."""
    at = timezone.now()
    issued_at = None if made is None else at.timestamp() + made
    token = ConnectionToken(str(alice.pk), issued_here=True, issued_at=issued_at, origin=origin)
    assert not is_outdated(token, alice)
    alice.tokens_after = at
    assert is_outdated(token, alice) == outdated


def test_a_session_ends_in_one_step(alice: User, signed_in: SignIn) -> None:
    """When its end is told it is gone: who connects then must not find it."""
    browser = signed_in(alice)
    session_key = session_of(browser)
    do_end_session(alice.pk, session_key)
    assert sessions_among({session_key}) == set()
    mark = mark_of(Origin(session_key=session_key))
    ends = {"session": mark, "code": 4501, "reason": "signed out", "whitelist": []}
    assert told() == [Disconnect(user=str(alice.pk), **ends)]


def sign_out(browser: Client) -> None:
    assert browser.post("/accounts/logout/").status_code == 302
    assert "_auth_user_id" not in browser.session


def sign_out_of_the_admin(browser: Client) -> None:
    User.objects.update(is_staff=True)
    assert browser.post("/admin/logout/").status_code == 302


def sign_in_as_another(browser: Client) -> None:
    User.objects.create_superuser("root", password="the staff's own words")
    form = {"username": "root", "password": "the staff's own words", "next": "/admin/"}
    assert browser.post("/admin/login/", form).status_code == 302


def sign_out_asynchronously(browser: Client) -> None:
    request = RequestFactory().post("/")
    request.session = SessionStore(session_of(browser))
    async_to_sync(alogout)(request)


@pytest.mark.parametrize(
    "act", [sign_out, sign_out_of_the_admin, sign_in_as_another, sign_out_asynchronously]
)
def test_whatever_ends_a_session(
    act: Callable[[Client], None], alice: User, signed_in: SignIn
) -> None:
    """Its connections are told to end, and it is gone."""
    browser = signed_in(alice)
    session_key = session_of(browser)
    act(browser)
    assert sessions_among({session_key}) == set()
    [control] = told()
    assert isinstance(control, Disconnect)
    mark = mark_of(Origin(session_key=session_key))
    assert (control.user, control.session, control.code) == (str(alice.pk), mark, 4501)


def test_session_of_nobody(client: Client) -> None:
    """Nothing was opened with it."""
    session = client.session
    session["cart"] = [1]
    session.save()
    client.logout()
    assert told() == []


def test_a_revoked_key_is_told_once(key: ApiKey, bob: User, staff: User) -> None:
    """With the revocation itself; revoking it again tells nothing."""
    for _ in range(2):
        do_revoke_key(staff, key)
    ends = {"session": f"key:{key.pk}", "code": 3500, "reason": "key revoked", "whitelist": []}
    assert told() == [Disconnect(user=str(bob.pk), **ends)]
