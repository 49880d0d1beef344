from __future__ import annotations

import pytest

from shared.accounts.actions import do_follow, do_unfollow
from shared.accounts.exceptions import CannotFollow, Inactive, UnknownUser
from shared.accounts.models import Follow, User
from shared.accounts.queries import find_user, followed_by, followers_of, follows

pytestmark = pytest.mark.django_db


def test_following(alice: User, bob: User, carol: User) -> None:
    """Following, and following again, is one row that both sides see; unfollowing takes it."""
    for _ in range(2):
        assert do_follow(bob, "alice") == alice
    do_follow(carol, "alice")
    assert Follow.objects.count() == 2
    assert set(followers_of(alice)) == {bob, carol}
    assert list(followed_by(bob)) == [alice]
    assert (follows(bob, alice), follows(alice, bob)) == (True, False)
    for _ in range(2):
        assert do_unfollow(bob, "alice") == alice
    assert list(followers_of(alice)) == [carol]


def test_oneself(alice: User) -> None:
    """Nobody follows themselves."""
    with pytest.raises(CannotFollow):
        do_follow(alice, "alice")


@pytest.mark.parametrize(
    "name", ["", "nobody", "ALICE", "alice\0", "alice\n", "\ud800", "x" * 10_000, "%", "bob "]
)
def test_unknown(alice: User, bob: User, name: str) -> None:
    """Names are exact, and no text is more than unknown."""
    for action in (do_follow, do_unfollow):
        with pytest.raises(UnknownUser):
            action(alice, name)
    with pytest.raises(UnknownUser):
        find_user(name)


def test_inactive(alice: User, bob: User) -> None:
    """Who is deactivated follows nobody, is found by nobody and is told nothing."""
    do_follow(alice, "bob")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert alice.is_active
    for action in (do_follow, do_unfollow):
        with pytest.raises(Inactive):
            action(alice, "bob")
        with pytest.raises(UnknownUser):
            action(bob, "alice")
    assert list(followers_of(bob)) == []
    assert list(followed_by(bob)) == []
