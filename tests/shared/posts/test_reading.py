from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from shared.accounts.actions import do_follow
from shared.accounts.exceptions import UnknownUser
from shared.accounts.models import User
from shared.posts.actions import do_comment, do_create_post
from shared.posts.exceptions import UnknownPost
from shared.posts.models import Post
from shared.posts.queries import (
    comments_page,
    counts_of,
    feed_page,
    person_of,
    post_of,
    post_position,
    posts_of,
)
from shared.realtime.history import history

pytestmark = pytest.mark.django_db


def titles(posts: list[Post]) -> list[str]:
    return [post.title for post in posts]


def test_the_feed_of_everybody(alice: User, bob: User, carol: User) -> None:
    """All posts, the newest first."""
    for number, author in enumerate((alice, bob, alice)):
        do_create_post(author, f"post {number}")
    assert titles(feed_page(carol)) == ["post 2", "post 1", "post 0"]


def test_the_feed_of_those_one_follows(alice: User, bob: User, carol: User) -> None:
    """Theirs and one's own, nobody else's."""
    do_follow(carol, "alice")
    for author in (alice, bob, carol):
        do_create_post(author, f"by {author.username}")
    assert titles(feed_page(carol, followed_only=True)) == ["by carol", "by alice"]
    assert titles(feed_page(bob, followed_only=True)) == ["by bob"]


def test_pages_do_not_shift(alice: User, bob: User) -> None:
    """A post that comes between two pages moves nothing."""
    for number in range(5):
        do_create_post(alice, f"post {number}")
    first = feed_page(bob, limit=2)
    do_create_post(alice, "in between")
    second = feed_page(bob, before=first[-1].pk, limit=2)
    assert titles(first) + titles(second) == ["post 4", "post 3", "post 2", "post 1"]
    assert feed_page(bob, before=1) == []
    assert feed_page(bob, before=0) == []
    assert len(feed_page(bob, before=2**63 - 1)) == 6


def test_a_page_is_one_query(
    alice: User, bob: User, carol: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Authors and numbers of comments come along, however many posts there are."""
    do_follow(carol, "alice")
    do_follow(carol, "bob")
    for number in range(12):
        post = do_create_post((alice, bob)[number % 2], f"post {number}")
        for _ in range(number):
            do_comment(carol, post.pk, "so it is")
    for page in (
        lambda: feed_page(carol, followed_only=True),
        lambda: feed_page(carol),
        lambda: posts_of(alice),
    ):
        with django_assert_num_queries(1):
            posts = page()
            assert {post.author.username for post in posts} <= {"alice", "bob"}
            for post in posts:
                assert post.title == f"post {post.comment_count}"  # type: ignore[attr-defined]


def test_comments_the_oldest_first(
    alice: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """A page is the newest of them, the next one those before; authors come along."""
    post = do_create_post(alice, "Bells")
    other = do_create_post(alice, "Others")
    do_comment(bob, other.pk, "elsewhere")
    for number in range(5):
        do_comment(bob, post.pk, f"comment {number}")
    with django_assert_num_queries(1):
        page = comments_page(post, limit=2)
        assert [(c.body, c.author.username) for c in page] == [
            ("comment 3", "bob"),
            ("comment 4", "bob"),
        ]
    earlier = comments_page(post, page[0].pk, 10)
    assert [comment.body for comment in earlier] == ["comment 0", "comment 1", "comment 2"]


def test_the_log_loads_comments_in_one_query(
    alice: User, bob: User, carol: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Stream, publications and rows: however many comments were missed."""
    post = do_create_post(alice, "Bells")
    for number in range(20):
        do_comment((bob, carol)[number % 2], post.pk, f"comment {number}")
    with django_assert_max_num_queries(3):
        assert len(history(post.channel).publications) == 20
    position = post_position(post)
    assert position is not None
    assert position.offset == 20


def test_one_post(alice: User) -> None:
    """With its author, or a sentence that there is none."""
    post = do_create_post(alice, "Bells")
    assert post_of(post.pk).author == alice
    for post_id in (0, -1, post.pk + 1, 2**63 - 1, 2**63, 10**30):
        with pytest.raises(UnknownPost):
            post_of(post_id)


def test_people(alice: User, bob: User, carol: User) -> None:
    """Whoever has the name, with their numbers; a deactivated person's posts stay theirs."""
    do_follow(bob, "alice")
    do_follow(carol, "alice")
    do_follow(alice, "carol")
    do_create_post(alice, "Bells")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert counts_of(person_of("alice")) == (1, 2, 1)
    for name in ("nobody", "Alice", "a\0b", "\ud800"):
        with pytest.raises(UnknownUser):
            person_of(name)
