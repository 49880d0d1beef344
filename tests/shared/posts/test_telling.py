"""Who is told of posts and comments."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from shared.accounts.actions import do_follow
from shared.accounts.models import Follow, User
from shared.bulk.models import BulkJob
from shared.notifications.actions import do_set_preference
from shared.notifications.models import Notification
from shared.posts.actions import do_comment, do_create_post

pytestmark = pytest.mark.django_db(transaction=True)


def told() -> list[tuple[str, str, str]]:
    """Return who was told what, and where it leads."""
    rows = Notification.objects.order_by("id").values_list("user__username", "title", "url")
    return sorted(rows)


def test_followers_hear_of_a_post(alice: User, bob: User, carol: User) -> None:
    """Each of them, and neither the author nor anybody else."""
    do_follow(bob, "alice")
    post = do_create_post(alice, 'Bells & "whistles" <b>')
    assert told() == [
        ("bob", 'alice posted: Bells & "whistles" <b>', f"/posts/{post.pk}/"),
    ]
    assert Notification.objects.get().kind == "posts.new_post"
    assert Notification.objects.get().category == "posts"


def test_the_author_hears_of_a_comment(alice: User, bob: User) -> None:
    """Of other people's, never of their own."""
    post = do_create_post(alice, "Bells")
    do_comment(alice, post.pk, "By the way")
    comment = do_comment(bob, post.pk, "Well said")
    assert told() == [
        (
            "alice",
            "New comment on your post from bob",
            f"/posts/{post.pk}/#comment-{comment.pk}",
        ),
    ]
    assert Notification.objects.get().category == "comments"


def test_preferences_count(alice: User, bob: User, carol: User) -> None:
    """Whoever switched the category off is left out."""
    do_follow(bob, "alice")
    do_follow(carol, "alice")
    do_set_preference(bob, "posts", False)
    do_set_preference(alice, "comments", False)
    post = do_create_post(alice, "Bells")
    do_comment(bob, post.pk, "Well said")
    assert [name for name, _, _ in told()] == ["carol"]


def test_who_does_not_follow_any_more_and_the_inactive(alice: User, bob: User, carol: User) -> None:
    """Are not told."""
    do_follow(bob, "alice")
    do_follow(carol, "alice")
    User.objects.filter(pk=bob.pk).update(is_active=False)
    Follow.objects.filter(follower=carol).delete()
    do_create_post(alice, "Bells")
    assert told() == []


def test_telling_a_few_hundred_takes_no_more_statements(
    alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """One statement for many."""
    fans = User.objects.bulk_create(User(username=f"fan-{n}") for n in range(300))
    Follow.objects.bulk_create(Follow(follower=fan, followed=alice) for fan in fans)
    with django_assert_max_num_queries(40):
        do_create_post(alice, "Bells")
    assert Notification.objects.count() == 300
    assert not BulkJob.objects.exists()


def test_more_than_a_thousand_followers_make_a_job(alice: User) -> None:
    """The author does not wait for it: it is stored with the post."""
    fans = User.objects.bulk_create(User(username=f"fan-{n}") for n in range(1_001))
    Follow.objects.bulk_create(Follow(follower=fan, followed=alice) for fan in fans)
    post = do_create_post(alice, "Bells")
    job = BulkJob.objects.get()
    assert job.kind == "posts.new_post"
    assert job.context == {"author": "alice", "title": "Bells", "post_id": post.pk}
    assert (job.audience["type"], job.audience["username"]) == ("followers", "alice")
