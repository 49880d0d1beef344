"""New passwords: whoever sets one, what the old one has opened is told to end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    PasswordChangeForm,
    SetPasswordForm,
    UserCreationForm,
)
from django.contrib.auth.hashers import get_hasher
from django.db import transaction
from django.forms import Form
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from shared.accounts.models import User
from shared.realtime.controls import CONTROLS, Control, Disconnect, decode
from shared.realtime.history import history

pytestmark = pytest.mark.django_db

OLD, NEW = "alice's own words", "a long new one"
TWICE = {"new_password1": NEW, "new_password2": NEW}

type Committing = DjangoCaptureOnCommitCallbacks


class SignUp(UserCreationForm[User]):
    class Meta:
        model = User
        fields = ("username",)


def told() -> list[Control]:
    """Return what the gateways are told to do with connections."""
    return [decode(each.data) for each in history(CONTROLS).publications]


def come_back(user: User) -> Control:
    return Disconnect(user=str(user.pk), code=3011, reason="force reconnect", whitelist=[])


def set_it(user: User) -> None:
    user.set_password(NEW)
    user.save()


def set_it_alone(user: User) -> None:
    user.set_password(NEW)
    user.save(update_fields=["password"])


def submitted(form: Form) -> None:
    assert form.is_valid(), form.errors
    form.save()  # type: ignore[attr-defined]


def on_the_admins_page(user: User) -> None:
    User.objects.create_superuser("root", password=OLD)
    browser = Client()
    browser.force_login(User.objects.get(username="root"))
    page = f"/admin/accounts/user/{user.pk}/password/"
    answer = browser.post(page, {"password1": NEW, "password2": NEW, "usable_password": "true"})
    assert answer.status_code == 302, answer.content


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(set_it, id="shell"),
        pytest.param(set_it_alone, id="one-field"),
        pytest.param(lambda user: submitted(SetPasswordForm(user, TWICE)), id="reset"),
        pytest.param(
            lambda user: submitted(PasswordChangeForm(user, {"old_password": OLD, **TWICE})),
            id="change",
        ),
        pytest.param(
            lambda user: submitted(
                AdminPasswordChangeForm(user, {"password1": NEW, "password2": NEW})
            ),
            id="admin-form",
        ),
        pytest.param(on_the_admins_page, id="admin"),
    ],
)
def test_whoever_sets_it(
    change: Callable[[User], None], alice: User, django_capture_on_commit_callbacks: Committing
) -> None:
    """Connections come back, and tokens from before count no more."""
    before = timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        change(alice)
    assert told() == [come_back(alice)]
    stored = User.objects.get(pk=alice.pk)
    assert stored.check_password(NEW)
    assert stored.tokens_after is not None
    assert before <= stored.tokens_after <= timezone.now()


def sign_up(user: User) -> None:
    submitted(SignUp({"username": "dora", "password1": NEW, "password2": NEW}))


def save_something_else(user: User) -> None:
    user.first_name = "Alice"
    user.save()


def sign_in_with_an_older_hash(user: User) -> None:
    # With too little salt, as old ones have.
    hashed = get_hasher().encode(OLD, "salt")
    User.objects.filter(pk=user.pk).update(password=hashed)
    assert Client().login(username="alice", password=OLD)
    assert User.objects.get(pk=user.pk).password != hashed


@pytest.mark.parametrize("act", [sign_up, save_something_else, sign_in_with_an_older_hash])
def test_what_is_no_new_password(
    act: Callable[[User], None], alice: User, django_capture_on_commit_callbacks: Committing
) -> None:
    """A first one, none, and the same one stored in another way end nothing."""
    with django_capture_on_commit_callbacks(execute=True):
        act(alice)
    assert told() == []
    assert not User.objects.exclude(tokens_after=None).exists()


def test_many_in_one_transaction(
    alice: User, bob: User, django_capture_on_commit_callbacks: Committing
) -> None:
    """The gateways' stream stays free for everybody else until the transaction has ended."""
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        for user in (alice, bob):
            set_it(user)
        assert told() == []
    assert told() == [come_back(alice), come_back(bob)]


@pytest.mark.django_db(transaction=True)
def test_rolled_back(alice: User) -> None:
    """A password that was not stored ends nothing."""
    with transaction.atomic():
        set_it(alice)
        transaction.set_rollback(True)
    assert told() == []
