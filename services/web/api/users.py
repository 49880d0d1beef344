"""People, and whom one follows."""

from __future__ import annotations

from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Id, UsernamePath
from services.web.api.routes import Routes
from services.web.budgets import Budget
from shared.accounts.actions import do_follow, do_unfollow
from shared.accounts.keys import Scope
from shared.accounts.queries import find_user, follows

__all__ = ["routes"]

routes = Routes("users")


class Profile(Answer):
    id: Id
    username: str
    following: bool
    follows_you: bool


@routes.get("/users/{username}", scope=Scope.POSTS_READ, answer=Profile)
def read_user(request: ApiRequest, username: UsernamePath) -> Profile:
    """Read who somebody is to the caller."""
    user = find_user(username)
    return Profile(
        id=user.pk,
        username=user.username,
        following=follows(request.user, user),
        follows_you=follows(user, request.user),
    )


@routes.put(
    "/users/{username}/follow",
    scope=Scope.FOLLOWS_WRITE,
    answers={204: None},
    budget=Budget.FOLLOWS,
    conflict=True,
)
def follow_user(request: ApiRequest, username: UsernamePath) -> None:
    """Hear what somebody posts from now on. Again changes nothing."""
    do_follow(request.user, username)


@routes.delete(
    "/users/{username}/follow",
    scope=Scope.FOLLOWS_WRITE,
    answers={204: None},
    budget=Budget.FOLLOWS,
)
def unfollow_user(request: ApiRequest, username: UsernamePath) -> None:
    """Hear it no more; without following nothing changes."""
    do_unfollow(request.user, username)
