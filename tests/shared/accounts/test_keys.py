from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from shared.accounts.actions import do_deactivate, do_make_key, do_reactivate, do_revoke_key
from shared.accounts.exceptions import InvalidKey, NotStaff
from shared.accounts.keys import Scope, find_key
from shared.accounts.models import ApiKey, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(alice: User, staff: User) -> tuple[ApiKey, str]:
    """A key that acts as alice."""
    return do_make_key(staff, alice, "Billing", [Scope.MESSAGES_WRITE, "rooms:read"])


def test_text_is_nowhere(made: tuple[ApiKey, str], caplog: pytest.LogCaptureFixture) -> None:
    """A key is found by its text, which neither a row nor a log line has."""
    caplog.set_level(logging.DEBUG)
    key, text = made
    assert text.startswith(key.prefix)
    assert (len(text), key.prefix[:3], len(key.prefix)) == (56, "ck_", 13)
    found = find_key(text)
    assert found is not None
    assert (found.pk, found.user.username) == (key.pk, "alice")
    secret = text[len(key.prefix) :]
    row = ApiKey.objects.values().get()
    assert not any(secret in str(value) for value in row.values())
    assert secret not in caplog.text
    assert row["scopes"] == ["rooms:read", "messages:write"]


def test_keys_differ(alice: User, staff: User) -> None:
    """No two keys are alike in any part."""
    texts = [do_make_key(staff, alice, "x", [Scope.ROOMS_READ])[1] for _ in range(50)]
    assert len({text[:13] for text in texts}) == len({text[13:] for text in texts}) == 50


@pytest.mark.parametrize("change", ["", "x", "\0", "ü", "\ud800", "x" * 100_000])
def test_other_texts(made: tuple[ApiKey, str], change: str) -> None:
    """What is not exactly a key is none, and no text is an error."""
    _, text = made
    other = "A" if text[-1] != "A" else "B"
    for wrong in (change, f"{change}x{text}", text + change + "x", text[:-1] + other, text.upper()):
        assert find_key(wrong) is None


def test_one_query(
    made: tuple[ApiKey, str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """A valid key and an invented one cost the same: one lookup."""
    _, text = made
    find_key(text)
    for asked in (text, "ck_" + "x" * 53):
        with django_assert_num_queries(1):
            find_key(asked)


def test_use_is_noted_once_a_minute(made: tuple[ApiKey, str]) -> None:
    """People see when a key was used last; requests do not pay for it each."""
    _, text = made
    find_key(text)
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    find_key(text)
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    find_key(text)
    again = ApiKey.objects.get().last_used_at
    assert again is not None
    assert again >= first


def test_revoked(made: tuple[ApiKey, str], bob: User, staff: User) -> None:
    """A revoked key ends with the request before; revoking again keeps the time."""
    key, text = made
    with pytest.raises(NotStaff):
        do_revoke_key(bob, key)
    do_revoke_key(staff, key)
    assert find_key(text) is None
    at = key.revoked_at
    do_revoke_key(key.user, key)
    assert at is not None
    assert ApiKey.objects.get().revoked_at == at


def test_inactive_user(made: tuple[ApiKey, str], alice: User, staff: User) -> None:
    """A key acts as its user while they may act."""
    _, text = made
    do_deactivate(staff, alice)
    assert find_key(text) is None
    do_reactivate(staff, alice)
    assert find_key(text) is not None


@pytest.mark.parametrize(
    ("name", "scopes", "field"),
    [
        ("", ["rooms:read"], "name"),
        ("x" * 101, ["rooms:read"], "name"),
        ("a\0b", ["rooms:read"], "name"),
        ("x", [], "scopes"),
        ("x", ["everything"], "scopes"),
        ("x", ["rooms:read", ""], "scopes"),
    ],
)
def test_refused(alice: User, staff: User, name: str, scopes: list[str], field: str) -> None:
    """Names are for people, scopes from the closed set, and at least one."""
    with pytest.raises(InvalidKey) as caught:
        do_make_key(staff, alice, name, scopes)
    assert caught.value.field == field
    assert not ApiKey.objects.exists()


def test_for_whom(alice: User, bob: User, carol: User, staff: User) -> None:
    """Staff alone make keys, for active users, and no superuser's unless they are one."""
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    with pytest.raises(NotStaff):
        do_make_key(alice, alice, "x", [Scope.ROOMS_READ])
    do_make_key(bob, alice, "x", [Scope.ROOMS_READ])
    User.objects.filter(pk=carol.pk).update(is_active=False)
    for user in (carol, staff):
        with pytest.raises(InvalidKey) as caught:
            do_make_key(bob, user, "x", [Scope.ROOMS_READ])
        assert caught.value.field == "user"
    assert ApiKey.objects.count() == 1
