"""The demo's post, and who follows its author."""

from __future__ import annotations

from collections.abc import Mapping

from shared.accounts.actions import do_follow
from shared.accounts.models import User
from shared.accounts.queries import follows
from shared.posts.actions import do_create_post
from shared.posts.models import Post

__all__ = ["load_demo"]


def load_demo(users: Mapping[str, User]) -> None:
    """Let alice post, unless anybody has, and bob follow her."""
    if not Post.objects.exists():
        do_create_post(
            users["alice"],
            "Welcome to Carillon",
            "Follow people to hear of what they post, and say something below it.",
        )
    if not follows(users["bob"], users["alice"]):
        do_follow(users["bob"], "alice")
