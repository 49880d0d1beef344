"""Reads of this app. Pages are keysets: they are cut by id, so that none shifts while one reads."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from shared.accounts.exceptions import UnknownUser
from shared.accounts.models import Follow, User
from shared.posts.exceptions import UnknownPost
from shared.posts.models import Comment, Post
from shared.realtime import streams
from shared.realtime.positions import Position

__all__ = [
    "PAGE_COMMENTS",
    "PAGE_POSTS",
    "PersonCounts",
    "comments_page",
    "counts_of",
    "feed_page",
    "person_of",
    "post_of",
    "post_position",
    "posts_of",
]

PAGE_POSTS = 20
PAGE_COMMENTS = 50


class PersonCounts(NamedTuple):
    """How much there is about a person."""

    posts: int
    followers: int
    following: int


def feed_page(
    user: User, before: int | None = None, limit: int = PAGE_POSTS, followed_only: bool = False
) -> list[Post]:
    """
    Return the newest posts, or those before a post's id, the newest first.

    Each has its author and `comment_count`, in one query.

    Args:
        user: the reader.
        before: exclusive; None from the newest on.
        limit: at most this many.
        followed_only: only posts of those whom the reader follows, and the reader's own.
    """
    posts = Post.objects.all()
    if followed_only:
        followed = Follow.objects.filter(follower=user).values("followed")
        posts = posts.filter(Q(author=user) | Q(author__in=followed))
    return _page(posts, before, limit)


def posts_of(author: User, before: int | None = None, limit: int = PAGE_POSTS) -> list[Post]:
    """Return one author's posts as `feed_page` does."""
    return _page(Post.objects.filter(author=author), before, limit)


def post_of(post_id: int) -> Post:
    """
    Return a post with its author.

    Raises:
        UnknownPost: there is none of this id.
    """
    post = Post.objects.select_related("author").filter(pk=post_id).first()
    if post is None:
        raise UnknownPost
    return post


def post_position(post: Post) -> Position | None:
    """Return where the post's stream stands; read it before the comments, and none is missed."""
    head = streams.head(post.channel)
    return None if head is None else head.position


def comments_page(
    post: Post, before: int | None = None, limit: int = PAGE_COMMENTS
) -> list[Comment]:
    """Return the newest comments, or those before a comment's id, the oldest of them first."""
    comments = Comment.objects.filter(post=post).select_related("author").order_by("-id")
    if before is not None:
        comments = comments.filter(id__lt=before)
    return list(comments[:limit])[::-1]


def person_of(username: str) -> User:
    """
    Return whoever has this name, active or not: what they posted is there as before.

    Raises:
        UnknownUser: nobody has it.
    """
    # PostgreSQL would raise on a name with NUL or half of a surrogate pair in it.
    people = User.objects.select_related("banned_by").filter(username=username)
    person = people.first() if username.isprintable() else None
    if person is None:
        raise UnknownUser
    return person


def counts_of(person: User) -> PersonCounts:
    """Return how many posts, followers and followed people somebody has."""
    return PersonCounts(
        posts=Post.objects.filter(author=person).count(),
        followers=Follow.objects.filter(followed=person).count(),
        following=Follow.objects.filter(follower=person).count(),
    )


def _page(posts: QuerySet[Post], before: int | None, limit: int) -> list[Post]:
    if before is not None:
        posts = posts.filter(id__lt=before)
    # A subquery for each post of the page, which the index (post, id) answers; a join would count
    # the comments of every post before it cuts the page.
    below = Comment.objects.filter(post=OuterRef("pk")).order_by().values("post")
    count = Subquery(below.annotate(count=Count("id")).values("count"), IntegerField())
    counted = posts.annotate(comment_count=Coalesce(count, 0))
    return list(counted.select_related("author").order_by("-id")[:limit])
