"""What of Django's permissions the gateways are told."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import transaction

from shared.accounts.actions import do_recheck
from shared.accounts.models import User
from shared.accounts.namespaces import REVOCATIONS
from shared.realtime.history import history
from tests.shared.accounts.grants import view_follow

pytestmark = pytest.mark.django_db(transaction=True)


def told() -> list[object]:
    """Whom gateways were told to look at; None is everybody."""
    published = [json.loads(each.data) for each in history(REVOCATIONS).publications]
    assert {each["type"] for each in published} <= {"recheck"}
    return [each.get("users") for each in published]


@pytest.fixture
def permission() -> Permission:
    return view_follow()


@pytest.fixture
def group(permission: Permission) -> Group:
    group = Group.objects.create(name="Treasurers")
    group.permissions.add(permission)
    return group


def test_what_is_given(alice: User, group: Group, permission: Permission) -> None:
    """Who may hear more asks for it: nobody is looked at."""
    alice.groups.add(group)
    alice.user_permissions.set([permission])
    alice.is_staff = True
    alice.save()
    assert told() == []


def test_who_is_looked_at(
    alice: User, bob: User, carol: User, group: Group, permission: Permission
) -> None:
    """Whoever had it, by whichever side of the relation it went."""
    group.user_set.set([alice, bob])
    permission.user_set.set([bob, carol])
    group.user_set.remove(alice)
    bob.user_permissions.clear()
    permission.user_set.clear()
    permission.group_set.remove(group)
    group.permissions.add(permission)
    permission.group_set.clear()
    group.user_set.clear()
    assert told() == [
        [alice.pk],
        [bob.pk],
        [carol.pk],
        [bob.pk],
        [bob.pk],
        [bob.pk],
    ]


def test_flags(alice: User) -> None:
    """Staff and superusers who are so no longer; other members of an account are nobody's."""
    alice.is_staff = alice.is_superuser = True
    alice.save()
    alice.email = "alice@example.com"
    alice.save()
    alice.is_staff = False
    alice.save(update_fields=["email"])
    assert told() == []
    alice.save(update_fields=["is_staff"])
    alice.is_superuser = False
    alice.save()
    assert told() == [[alice.pk], [alice.pk]]


def test_things_that_go(alice: User, group: Group, permission: Permission) -> None:
    """A group's members, and for a permission everybody."""
    alice.groups.add(group)
    group.delete()
    Permission.objects.filter(pk=permission.pk).delete()
    assert told() == [[alice.pk], None]


def test_rolled_back(alice: User, permission: Permission) -> None:
    """What was not taken away ends nothing."""
    alice.user_permissions.add(permission)
    with transaction.atomic():
        alice.user_permissions.clear()
        transaction.set_rollback(True)
    assert told() == []


def test_many(db: None) -> None:
    """More than can be named are everybody."""
    do_recheck(range(1, 2_002))
    do_recheck(range(1, 2_001))
    assert told()[0] is None
    assert len(told()[1]) == 2_000  # type: ignore[arg-type]
