"""Posts."""

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
from shared.posts.actions import do_create_post, do_delete_post
from shared.posts.models import Post
from shared.posts.queries import feed_page, post_of

__all__ = ["routes"]

routes = Routes("posts")


class FeedPage(Page):
    following: bool = Field(False, description="Only the caller's own and those they follow.")


class NewPost(Input):
    title: Annotated[str, Field(max_length=Post.TITLE_CHARACTERS, examples=["Lunch on Friday"])]
    body: Annotated[str, Field(max_length=Post.BODY_CHARACTERS)] = ""


class PostData(Answer):
    id: Id
    author: str
    title: str
    body: str
    timestamp: Timestamp


class PostList(Answer):
    posts: list[PostData]
    next: Id | None


@routes.get("/posts", scope=Scope.POSTS_READ, answer=PostList)
def list_posts(request: ApiRequest, page: Query[FeedPage]) -> PostList:
    """List posts, the newest first."""
    posts, following = page.read(
        lambda before, limit: feed_page(request.user, before, limit, page.following)
    )
    return PostList(posts=[_told(post) for post in posts], next=following)


@routes.post(
    "/posts", scope=Scope.POSTS_WRITE, answers={201: PostData}, budget=Budget.POSTS, body=JSON
)
def create_post(request: ApiRequest, body: Body[NewPost]) -> PostData:
    """Post something; the caller's followers are told."""
    return _told(do_create_post(request.user, body.title, body.body))


@routes.get("/posts/{int:post_id}", scope=Scope.POSTS_READ, answer=PostData)
def read_post(request: ApiRequest, post_id: Id) -> PostData:
    """Read one post."""
    return _told(post_of(post_id))


@routes.delete(
    "/posts/{int:post_id}", scope=Scope.POSTS_WRITE, answers={204: None}, budget=Budget.POSTS
)
def delete_post(request: ApiRequest, post_id: Id) -> None:
    """Delete a post of one's own with its comments; staff may delete everybody's."""
    do_delete_post(request.user, post_id)


def _told(post: Post) -> PostData:
    return PostData(
        id=post.pk,
        author=post.author.username,
        title=post.title,
        body=post.body,
        timestamp=post.created_at,
    )
