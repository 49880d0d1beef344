from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connection
from django.db.models.signals import post_migrate
from django.test import Client

from shared.accounts.models import User
from shared.chat.actions import do_create_room
from shared.chat.models import ChatRoom

# What pytest-django lets a test touch the database by, beside its mark.
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # First, because `-m` looks at the marks in this same hook.
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or DATABASE_FIXTURES & fixtures:
            item.add_marker("database")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Leave out what a third of the time would go into: permissions, made anew for each test."""
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", password="alice's own words")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", password="bob's own words")


@pytest.fixture
def carol(db: None) -> User:
    return User.objects.create_user("carol", password="carol's own words")


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("root", password="the staff's own words")


@pytest.fixture
def lobby(alice: User) -> ChatRoom:
    """A public room."""
    return do_create_room(alice, "lobby")


@pytest.fixture
def backroom(alice: User) -> ChatRoom:
    """A room for its members only, of whom alice is the only one."""
    return do_create_room(alice, "backroom", members_only=True)


@pytest.fixture
def signed_in(db: None) -> Callable[[User], Client]:
    """Return a browser in which a user is signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def on_postgresql(db: None) -> None:
    """For what SQLite cannot show; it is no reason to skip."""
    if connection.vendor != "postgresql":
        pytest.fail(
            "This test needs DATABASE_URL: run it with `python -m deploy.stack run -- pytest`."
        )
