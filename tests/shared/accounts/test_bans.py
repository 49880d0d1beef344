from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from shared.accounts.actions import do_ban, do_deactivate, do_reactivate, do_unban
from shared.accounts.exceptions import InvalidReason, NotStaff, Protected
from shared.accounts.models import User
from shared.accounts.namespaces import REVOCATIONS
from shared.broker.wire import Published
from shared.realtime.history import history
from shared.realtime.namespaces import namespace_of

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]

MEASURES: dict[str, Callable[[User, User], None]] = {
    "ban": lambda actor, user: do_ban(actor, user, "Spam"),
    "unban": do_unban,
    "deactivate": do_deactivate,
    "reactivate": do_reactivate,
}


def revoked() -> list[dict[str, object]]:
    return [json.loads(each.data) for each in history(REVOCATIONS).publications]


def standing(user: User) -> tuple[bool, bool, str, User | None]:
    row = User.objects.get(pk=user.pk)
    return row.is_active, row.banned_at is not None, row.ban_reason, row.banned_by


def test_ban(rings: Rings, alice: User, staff: User) -> None:
    """The row says since when, why and by whom; the gateways hear of it with one bell."""
    rings.clear()
    do_ban(staff, alice, " Sold watches. ")
    assert standing(alice) == (False, True, "Sold watches.", staff)
    assert (alice.is_active, alice.ban_reason) == (False, "Sold watches.")
    assert revoked() == [{"type": "revoked", "user": alice.pk, "code": 4503, "reason": "banned"}]
    [[rung]] = rings
    assert (rung.channel, rung.offset) == (REVOCATIONS, 1)


def test_ban_that_is_rolled_back(rings: Rings, alice: User, staff: User) -> None:
    """Row and publication are one: neither is there without the other."""
    rings.clear()
    with transaction.atomic():
        do_ban(staff, alice, "Spam")
        transaction.set_rollback(True)
    assert standing(alice) == (True, False, "", None)
    assert revoked() == []
    assert rings == []


def test_again(alice: User, staff: User) -> None:
    """A second ban replaces the reason."""
    do_ban(staff, alice, "Spam")
    do_ban(staff, alice, "Much spam")
    assert standing(alice) == (False, True, "Much spam", staff)


@pytest.mark.parametrize("reason", ["", "  ", "\u200b", "x" * 201, "a\0b", "\ud800"])
def test_reason_is_refused(alice: User, staff: User, reason: str) -> None:
    """A reason is something to read, of 200 characters at most."""
    with pytest.raises(InvalidReason):
        do_ban(staff, alice, reason)
    assert standing(alice) == (True, False, "", None)


def test_lifting(alice: User, staff: User) -> None:
    """A lifted ban leaves an active account and no trace of the ban."""
    do_ban(staff, alice, "Spam")
    do_unban(staff, alice)
    assert standing(alice) == (True, False, "", None)
    assert len(revoked()) == 1


def test_deactivation(alice: User, staff: User) -> None:
    """It blames nobody, and lifting a ban that is not there does not end it."""
    do_deactivate(staff, alice)
    assert standing(alice) == (False, False, "", None)
    assert revoked()[-1]["reason"] == "deactivated"
    do_unban(staff, alice)
    assert not User.objects.get(pk=alice.pk).is_active
    do_reactivate(staff, alice)
    assert User.objects.get(pk=alice.pk).is_active


def test_reactivation_lifts_a_ban(alice: User, staff: User) -> None:
    """One who may come back comes back wholly; a deactivation in between keeps the ban."""
    do_ban(staff, alice, "Spam")
    do_deactivate(staff, alice)
    assert standing(alice) == (False, True, "Spam", staff)
    do_reactivate(staff, alice)
    assert standing(alice) == (True, False, "", None)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_who_may_not(
    alice: User, bob: User, staff: User, measure: Callable[[User, User], None]
) -> None:
    """Neither users nor former staff may, whatever the object in hand says."""
    with pytest.raises(NotStaff):
        measure(bob, alice)
    for change in ({"is_active": False}, {"is_active": True, "is_staff": False}):
        User.objects.filter(pk=staff.pk).update(**change)
        assert (staff.is_active, staff.is_staff) == (True, True)
        with pytest.raises(NotStaff):
            measure(staff, alice)
    assert standing(alice) == (True, False, "", None)
    assert revoked() == []


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_to_whom_not(
    bob: User, carol: User, staff: User, measure: Callable[[User, User], None]
) -> None:
    """Nobody locks themselves out, and who is no superuser touches none, old objects or not."""
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    with pytest.raises(Protected):
        measure(staff, staff)
    User.objects.filter(pk=carol.pk).update(is_superuser=True)
    with pytest.raises(Protected):
        measure(bob, carol)
    assert revoked() == []
    measure(staff, carol)


def test_a_banned_user_is_never_active(alice: User, staff: User) -> None:
    """The database itself refuses a row that says both."""
    do_ban(staff, alice, "Spam")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=alice.pk).update(is_active=True)


def test_nobody_hears_the_channel(alice: User, staff: User) -> None:
    """Whose connections end is told to gateways; no client may subscribe or publish."""
    namespace = namespace_of(REVOCATIONS)
    for user in (alice, staff):
        assert not namespace.can_subscribe(user, REVOCATIONS)
        assert not namespace.can_publish(user, REVOCATIONS)
