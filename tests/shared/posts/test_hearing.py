"""Who may follow a post's comments live."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AbstractUser, AnonymousUser
from pytest_django import DjangoAssertNumQueries

from shared.accounts.models import User
from shared.posts.actions import do_create_post, do_delete_post
from shared.posts.namespaces import PostNamespace

pytestmark = pytest.mark.django_db


def test_whoever_is_active_hears_and_nobody_publishes(alice: User, bob: User) -> None:
    """Posts are open to all who are signed in; clients go through the forms."""
    post = do_create_post(alice, "Bells")
    namespace = PostNamespace()
    assert namespace.can_subscribe(bob, post.channel)
    assert not namespace.can_publish(alice, post.channel)


def test_the_inactive_and_strangers_hear_nothing(alice: User, bob: User) -> None:
    """What the connection says of its user may be old."""
    post = do_create_post(alice, "Bells")
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert not PostNamespace().can_subscribe(bob, post.channel)
    assert not PostNamespace().can_subscribe(AnonymousUser(), post.channel)  # type: ignore[arg-type]


def test_a_deleted_post_has_no_channel(alice: User) -> None:
    """A page that comes back after it learns that the post is gone."""
    post = do_create_post(alice, "Bells")
    channel = post.channel
    do_delete_post(alice, post.pk)
    assert not PostNamespace().can_subscribe(alice, channel)


@pytest.mark.parametrize("topic", ["0", "-1", "x", "1.0", "٣", "9" * 19, "9" * 200, "01", ""])
def test_odd_topics_lead_nowhere(alice: User, topic: str) -> None:
    """No traceback, and no second channel of one post."""
    do_create_post(alice, "Bells")
    assert not PostNamespace().can_subscribe(alice, f"post:{topic}")


def test_many_at_once(
    alice: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """However many ask, each is told as if it were alone, in two queries for all."""
    post = do_create_post(alice, "Bells")
    User.objects.filter(pk=bob.pk).update(is_active=False)
    people: list[AbstractUser] = [alice, bob, AnonymousUser()]  # type: ignore[list-item]
    topics = (str(post.pk), f"0{post.pk}", "x", str(post.pk + 1))
    wanted = [(user, f"post:{topic}") for user in people for topic in topics]
    alone = [PostNamespace().can_subscribe(user, channel) for user, channel in wanted]
    with django_assert_num_queries(2):
        assert PostNamespace().can_subscribe_each(wanted) == alone
    assert sum(alone) == 1
