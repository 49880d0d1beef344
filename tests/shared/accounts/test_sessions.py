from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from shared.accounts.models import User
from shared.accounts.sessions import SessionStore, users_of

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> str:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    key = client.session.session_key
    assert key is not None
    return key


def changed(key: str, **data: object) -> str:
    store = SessionStore(key)
    store.update(data)
    store.save()
    return key


class Choosy(ModelBackend):
    """A team's backend, which looks at each user by itself."""

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, username="bob").first()


def test_many_at_once(
    alice: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Any number of sessions is two statements; each key has its own user, twice the same too."""
    keys = [signed_in(user) for user in (alice, bob, alice)]
    with django_assert_num_queries(2):
        found = users_of([*keys, keys[0]])
    assert found == dict(zip(keys, (alice, bob, alice), strict=True))
    assert found[keys[0]] is not found[keys[2]], "each connection has an instance of its own"


def test_nobody(alice: User, db: None) -> None:
    """An unknown, impossible, expired or empty session is nobody, beside one that counts."""
    good, old = signed_in(alice), signed_in(alice)
    Session.objects.filter(pk=old).update(expire_date=timezone.now() - timedelta(seconds=1))
    empty = SessionStore()
    empty["cart"] = [1]
    empty.save()
    keys = [good, old, "x" * 32, "a\0b", "", "ключ", empty.session_key or ""]
    assert users_of(keys) == {good: alice}


@pytest.mark.parametrize(
    "data",
    [
        {HASH_SESSION_KEY: "0" * 64},
        {HASH_SESSION_KEY: ""},
        {BACKEND_SESSION_KEY: "gone.Backend"},
        {SESSION_KEY: "1; DROP TABLE"},
        {SESSION_KEY: "2147483000"},
    ],
)
def test_what_does_not_verify(alice: User, data: dict[str, object]) -> None:
    """A session that Django's own check refuses is nobody's here."""
    assert users_of([changed(signed_in(alice), **data)]) == {}


def test_new_password_and_inactive(alice: User, bob: User) -> None:
    """A new password and a deactivation end sessions at the next look."""
    keys = [signed_in(alice), signed_in(bob)]
    alice.set_password("another one 8")
    alice.save()
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert users_of(keys) == {}


def test_older_secret_key(alice: User, settings: Settings) -> None:
    """A session with the hash of a fallback secret counts, and stays as it is."""
    key = signed_in(alice)
    before = Session.objects.get(pk=key).get_decoded()[HASH_SESSION_KEY]
    old, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 50
    settings.SECRET_KEY_FALLBACKS = [old]
    assert users_of([key]) == {key: alice}
    assert Session.objects.get(pk=key).get_decoded()[HASH_SESSION_KEY] == before


def test_own_backend(alice: User, bob: User, settings: Settings) -> None:
    """A backend with its own way to users is asked for each of them."""
    path = f"{Choosy.__module__}.{Choosy.__qualname__}"
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, path]
    keys = [changed(signed_in(user), **{BACKEND_SESSION_KEY: path}) for user in (alice, bob)]
    assert users_of(keys) == {keys[1]: bob}
