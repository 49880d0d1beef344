"""Posts as their readers see them."""

from __future__ import annotations

import pytest

from shared.accounts.actions import do_follow
from shared.accounts.models import User
from shared.notifications.namespaces import user_channel
from shared.posts.actions import do_comment, do_create_post, do_delete_comment
from shared.testing import RealtimeClient, assert_publishes

pytestmark = pytest.mark.django_db


def test_comments(alice: User, bob: User) -> None:
    """Readers hear comments; who was away hears of a deleted one only that it is gone."""
    post = do_create_post(alice, "Bells")
    here, away = RealtimeClient(bob), RealtimeClient(bob)
    for client in (here, away):
        client.subscribe(post.channel)
    away.drop()
    first = do_comment(bob, post.pk, "Well said")
    second = do_comment(alice, post.pk, "Thank you")
    do_delete_comment(bob, first.pk)
    gone = {"type": "comment_deleted", "id": first.pk}
    assert here.received(post.channel) == [first.as_data(), second.as_data(), gone]
    resumed = away.reconnect()[post.channel]
    assert resumed.recovered
    assert resumed.missed == [{"type": "redacted"}, second.as_data(), gone]


def test_followers_hear_of_a_post(alice: User, bob: User, carol: User) -> None:
    """Each in their own channel, and nobody else."""
    do_follow(bob, "alice")
    clients = {user.username: RealtimeClient(user) for user in (alice, bob, carol)}
    post = do_create_post(alice, "Bells")
    told = {name: client.received(f"user:{_id(name)}") for name, client in clients.items()}
    assert [data["url"] for data in told["bob"]] == [f"/posts/{post.pk}/"]
    assert (told["alice"], told["carol"]) == ([], [])


def test_own_comment(alice: User, bob: User) -> None:
    """The author is told of other people's comments alone."""
    post = do_create_post(alice, "Bells")
    with assert_publishes(user_channel(alice.pk), times=0):
        do_comment(alice, post.pk, "By the way")
    with assert_publishes(user_channel(alice.pk), {"kind": "posts.new_comment"}):
        do_comment(bob, post.pk, "Well said")


def _id(name: str) -> int:
    return User.objects.get(username=name).pk
