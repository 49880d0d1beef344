from __future__ import annotations

import json

import pytest
from django.core.serializers.json import DjangoJSONEncoder

from shared.accounts import personal_data
from shared.accounts.actions import do_ban, do_delete_user, do_follow, do_make_key
from shared.accounts.keys import Scope, find_key
from shared.accounts.models import ApiKey, Follow, User
from shared.accounts.namespaces import REVOCATIONS
from shared.accounts.personal_data import PersonalData, export_of, register, registered
from shared.realtime.history import history

pytestmark = pytest.mark.django_db(transaction=True)


def test_everything_goes(alice: User, bob: User, staff: User) -> None:
    """The row, the follows both ways and the keys go; the gateways hear of it."""
    do_follow(alice, "bob")
    do_follow(bob, "alice")
    _, text = do_make_key(staff, alice, "x", [Scope.ROOMS_READ])
    do_delete_user(alice)
    assert not User.objects.filter(username="alice").exists()
    assert (Follow.objects.count(), ApiKey.objects.count()) == (0, 0)
    assert find_key(text) is None
    [told] = history(REVOCATIONS).publications
    assert json.loads(told.data) == {
        "type": "revoked",
        "user": alice.pk,
        "code": 4503,
        "reason": "deleted",
    }


def test_what_they_did_as_staff_stays(bob: User, carol: User, staff: User) -> None:
    """A ban outlives who pronounced it, and a key outlives who made it."""
    do_ban(staff, bob, "Spam")
    key, _ = do_make_key(staff, carol, "x", [Scope.ROOMS_READ])
    do_delete_user(staff)
    bob.refresh_from_db()
    key.refresh_from_db()
    assert (bob.ban_reason, bob.banned_by, key.created_by) == ("Spam", None, None)


def test_again(alice: User) -> None:
    """Deleting somebody who is gone is no error."""
    do_delete_user(alice)
    do_delete_user(alice)
    assert not User.objects.filter(pk=alice.pk).exists()


def test_interrupted(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """When an app's part fails, the user is cut off already, and the deletion can be repeated."""
    seen: list[tuple[bool, bool]] = []

    class Stubborn(PersonalData):
        key = "stubborn"

        def erase(self, user: User) -> None:
            row = User.objects.get(pk=user.pk)
            seen.append((row.is_active, Follow.objects.exists()))
            if len(seen) == 1:
                Follow.objects.all().delete()
                raise RuntimeError("no")

    monkeypatch.setattr(personal_data, "_registry", dict(personal_data._registry))
    register(Stubborn)
    bob = User.objects.create_user("bob")
    do_follow(bob, "alice")
    with pytest.raises(RuntimeError):
        do_delete_user(alice)
    assert not User.objects.get(pk=alice.pk).is_active
    do_delete_user(alice)
    assert not User.objects.filter(pk=alice.pk).exists()
    # One part is one transaction: what it did before it failed was undone.
    assert seen[:2] == [(False, True), (False, True)]


def test_export(alice: User, bob: User, staff: User) -> None:
    """A user's data is JSON, by app, with nothing that opens a door."""
    do_follow(alice, "bob")
    do_follow(bob, "alice")
    key, text = do_make_key(staff, alice, "Billing", [Scope.ROOMS_READ])
    data = json.loads(json.dumps(export_of(alice), cls=DjangoJSONEncoder))
    assert {"account", "chat", "notifications"} <= set(data)
    account = data["account"]
    assert (account["username"], account["follows"]) == ("alice", ["bob"])
    assert account["followed_by"] == ["bob"]
    assert [each["name"] for each in account["api_keys"]] == ["Billing"]
    everything = json.dumps(data)
    for secret in (text, key.digest, alice.password, "root"):
        assert secret not in everything


def test_two_parts_of_one_name() -> None:
    """The second of two apps with one key is refused, and the first stays."""
    first = registered()
    with pytest.raises(ValueError, match="account"):
        register(type("Other", (PersonalData,), {"key": "account"}))
    assert registered() == first
