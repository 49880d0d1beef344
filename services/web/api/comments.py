"""Comments below posts."""

from __future__ import annotations

from typing import Annotated

from ninja import Body, Query
from pydantic import Field

from services.web.api.bodies import JSON
from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Id, Input, Page, Timestamp
from services.web.api.routes import Routes
from services.web.budgets import Budget
from shared.accounts.keys import Scope
from shared.posts.actions import do_comment, do_delete_comment
from shared.posts.models import Comment
from shared.posts.queries import comments_page, post_of

__all__ = ["routes"]

routes = Routes("comments")


class NewComment(Input):
    body: Annotated[str, Field(max_length=Comment.BODY_CHARACTERS, examples=["Count me in."])]


class CommentData(Answer):
    id: Id
    post: Id
    author: str
    body: str
    timestamp: Timestamp


class CommentList(Answer):
    comments: list[CommentData]
    next: Id | None


@routes.get("/posts/{int:post_id}/comments", scope=Scope.POSTS_READ, answer=CommentList)
def list_comments(request: ApiRequest, post_id: Id, page: Query[Page]) -> CommentList:
    """List what is said below a post, the newest first."""
    post = post_of(post_id)
    # The page of a post reads downwards, lists of this API the other way.
    comments, following = page.read(lambda before, limit: comments_page(post, before, limit)[::-1])
    return CommentList(comments=[_told(comment) for comment in comments], next=following)


@routes.post(
    "/posts/{int:post_id}/comments",
    scope=Scope.POSTS_WRITE,
    answers={201: CommentData},
    budget=Budget.COMMENTS,
    body=JSON,
)
def create_comment(request: ApiRequest, post_id: Id, body: Body[NewComment]) -> CommentData:
    """Say something below a post; its author is told."""
    return _told(do_comment(request.user, post_id, body.body))


@routes.delete(
    "/comments/{int:comment_id}",
    scope=Scope.POSTS_WRITE,
    answers={204: None},
    budget=Budget.COMMENTS,
)
def delete_comment(request: ApiRequest, comment_id: Id) -> None:
    """Delete a comment of one's own or below one's own post; staff may delete everybody's."""
    do_delete_comment(request.user, comment_id)


def _told(comment: Comment) -> CommentData:
    return CommentData(
        id=comment.pk,
        post=comment.post_id,
        author=comment.author.username,
        body=comment.body,
        timestamp=comment.created_at,
    )
