"""
Writes of this app. Views, tasks and the shell call these, and nothing else writes.

Locks are taken in one order: the post, the inboxes of those who are told, the post's stream.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction

from shared.accounts.exceptions import Inactive
from shared.accounts.models import User
from shared.accounts.queries import followers_of
from shared.bulk.actions import do_fan_out
from shared.notifications.notify import notify
from shared.notifications.withdrawal import withdraw
from shared.posts.access import actor_of, may_delete_comment, may_delete_post
from shared.posts.exceptions import (
    InvalidContent,
    NotAllowed,
    UnknownComment,
    UnknownPost,
)
from shared.posts.kinds import COMMENT_WITHDRAWN, POST_WITHDRAWN, NewComment, NewPost
from shared.posts.models import Comment, Post, channel_of
from shared.realtime import streams
from shared.realtime.publish import Draft, publish, publish_many
from shared.realtime.text import refuse_text
from shared.realtime.transactions import retry_on_deadlock

__all__ = [
    "do_comment",
    "do_create_post",
    "do_delete_comment",
    "do_delete_post",
    "do_erase_posts",
]

# So many are told at once; to tell more is a job's work, and the author does not wait for it.
_TOLD_AT_ONCE = 1_000
# In one transaction of an erasure, whose locks are held for a moment only. A thousand people may
# have been told of a post, and one of a comment.
_POSTS_ERASED_AT_ONCE = 10
_COMMENTS_ERASED_AT_ONCE = 500


@retry_on_deadlock
def do_create_post(user: User, title: str, body: str = "") -> Post:
    """
    Post something and tell the author's followers.

    Args:
        user: the author.
        title: one line; blanks in a row count as one.
        body: may be empty.

    Raises:
        Inactive: the author is deactivated or banned, at this moment.
        InvalidContent: the title or the body cannot be taken.
    """
    title = " ".join(title.split())
    _check("title", title, Post.TITLE_CHARACTERS)
    if body:
        _check("body", body, Post.BODY_CHARACTERS)
    try:
        with transaction.atomic():
            author = actor_of(user)
            post = Post.objects.create(author=author, title=title, body=body)
            # So that the post's page has a position to start from although it never writes.
            streams.touch(post.channel)
            _tell_followers(author, post)
    except IntegrityError as error:
        # The user was deleted in between.
        raise Inactive from error
    return post


@retry_on_deadlock
def do_delete_post(user: User, post_id: int) -> None:
    """
    Delete a post with its comments; whoever reads it hears that it is gone.

    Raises:
        Inactive: the user is deactivated or banned, at this moment.
        UnknownPost: there is none, or it is deleted already.
        NotAllowed: it is somebody else's, and the user is not staff.
    """
    with transaction.atomic():
        actor = actor_of(user)
        post = Post.objects.select_for_update().filter(pk=post_id).first()
        if post is None:
            raise UnknownPost
        if not may_delete_post(actor, post):
            raise NotAllowed
        channel = post.channel
        _withdraw_posts([post_id])
        post.delete()
        publish(channel, _POST_DELETED)


@retry_on_deadlock
def do_comment(user: User, post_id: int, body: str) -> Comment:
    """
    Say something below a post, and tell its author unless it is their own comment.

    Raises:
        Inactive: the user is deactivated or banned, at this moment.
        UnknownPost: there is none, or it was just deleted.
        InvalidContent: the body cannot be taken.
    """
    _check("body", body, Comment.BODY_CHARACTERS)
    try:
        with transaction.atomic():
            author = actor_of(user)
            # The lock keeps the post: its deletion would fail this transaction at its very end.
            posts = Post.objects.select_for_update(of=("self",), no_key=True)
            post = posts.select_related("author").filter(pk=post_id).first()
            if post is None:
                raise UnknownPost
            comment = Comment.objects.create(post=post, author=author, body=body)
            if post.author_id != author.pk:
                notify(
                    post.author,
                    NewComment,
                    author=author.username,
                    post_id=post.pk,
                    comment_id=comment.pk,
                )
            publish(post.channel, comment.as_data(), ref=comment.pk)
    except IntegrityError as error:
        raise Inactive from error
    return comment


@retry_on_deadlock
def do_delete_comment(user: User, comment_id: int) -> None:
    """
    Delete a comment: its text goes from the row and from the log, and all readers hear of it.

    Raises:
        Inactive: the user is deactivated or banned, at this moment.
        UnknownComment: there is none, or it is deleted already.
        NotAllowed: neither the comment nor the post is theirs, and they are not staff.
    """
    with transaction.atomic():
        actor = actor_of(user)
        comments = Comment.objects.select_for_update(of=("self",)).select_related("post")
        comment = comments.filter(pk=comment_id).first()
        if comment is None:
            raise UnknownComment
        if not may_delete_comment(actor, comment):
            raise NotAllowed
        comment.delete()
        publish(comment.post.channel, _comment_deleted(comment_id))


def do_erase_posts(user: User) -> None:
    """
    Delete all that a user has posted and said below posts, as the actions above do one by one.

    It asks nobody for leave: it is a part of deleting the user. What others were told of it loses
    the user's name, unless a bulk job told it. Each transaction takes a few.
    """
    while _erase_some_posts(user):
        pass
    while _erase_some_comments(user):
        pass


@retry_on_deadlock
def _erase_some_posts(user: User) -> bool:
    with transaction.atomic():
        posts = Post.objects.select_for_update().filter(author=user).order_by("id")
        ids = [post.pk for post in posts[:_POSTS_ERASED_AT_ONCE]]
        if ids:
            _withdraw_posts(ids)
            Post.objects.filter(pk__in=ids).delete()
            publish_many([Draft(channel_of(post_id), _POST_DELETED) for post_id in ids])
    return bool(ids)


@retry_on_deadlock
def _erase_some_comments(user: User) -> bool:
    with transaction.atomic():
        said = Comment.objects.select_for_update().filter(author=user).order_by("id")
        places = list(said.values_list("pk", "post_id")[:_COMMENTS_ERASED_AT_ONCE])
        if places:
            urls = [NewComment.address_of(post_id, pk) for pk, post_id in places]
            withdraw(NewComment, urls, title=COMMENT_WITHDRAWN)
            Comment.objects.filter(pk__in=[pk for pk, _ in places]).delete()
            publish_many(
                [Draft(channel_of(post_id), _comment_deleted(pk)) for pk, post_id in places]
            )
    return bool(places)


def _withdraw_posts(post_ids: Sequence[int]) -> None:
    urls = [NewPost.address_of(post_id) for post_id in post_ids]
    withdraw(NewPost, urls, title=POST_WITHDRAWN, leads_on=False)


def _tell_followers(author: User, post: Post) -> None:
    context = {"author": author.username, "title": post.title, "post_id": post.pk}
    followers = list(followers_of(author).only("pk")[: _TOLD_AT_ONCE + 1])
    if len(followers) > _TOLD_AT_ONCE:
        audience = {"type": "followers", "username": author.username}
        do_fan_out(author, NewPost, context, audience)
    elif followers:
        notify(followers, NewPost, **context)


def _check(field: str, text: str, maximum: int) -> None:
    if words := refuse_text(text, maximum=maximum):
        raise InvalidContent(field, words)


_POST_DELETED = {"type": "post_deleted"}


def _comment_deleted(comment_id: int) -> dict[str, object]:
    return {"type": "comment_deleted", "id": comment_id}
