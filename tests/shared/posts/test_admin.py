"""Posts and comments in the admin: to be looked at, and deleted as their authors would."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from shared.accounts.models import User
from shared.posts.actions import do_comment, do_create_post
from shared.posts.models import Comment, Post
from shared.realtime.history import history

pytestmark = pytest.mark.django_db
type SignedIn = Callable[[User], Client]


def choose(browser: Client, model: str, action: str, row: int) -> int:
    """Run an action of a list on one row; return the answer's status."""
    form = {"action": action, "_selected_action": [row]}
    return browser.post(reverse(f"admin:posts_{model}_changelist"), form).status_code


def test_deleting(alice: User, bob: User, staff: User, signed_in: SignedIn) -> None:
    """The lists' actions delete for all readers, who hear of it."""
    post = do_create_post(alice, "Bells")
    comment = do_comment(bob, post.pk, "regret")
    browser = signed_in(staff)
    assert choose(browser, "comment", "delete_comments", comment.pk) == 302
    assert not Comment.objects.exists()
    assert choose(browser, "post", "delete_posts", post.pk) == 302
    assert not Post.objects.exists()
    assert [json.loads(each.data)["type"] for each in history(post.channel).publications] == [
        "redacted",
        "comment_deleted",
        "post_deleted",
    ]


@pytest.mark.parametrize("model", ["post", "comment"])
def test_nothing_is_changed_here(model: str, alice: User, staff: User, signed_in: SignedIn) -> None:
    """Neither added, nor edited, nor deleted past the log."""
    post = do_create_post(alice, "Bells")
    comment = do_comment(alice, post.pk, "They ring.")
    row = {"post": post, "comment": comment}[model].pk
    browser = signed_in(staff)
    assert browser.get(reverse(f"admin:posts_{model}_add")).status_code == 403
    assert browser.post(reverse(f"admin:posts_{model}_delete", args=[row])).status_code == 403
    change = reverse(f"admin:posts_{model}_change", args=[row])
    browser.post(change, {"title": "forged", "body": "forged"})
    post.refresh_from_db()
    comment.refresh_from_db()
    assert (post.title, comment.body) == ("Bells", "They ring.")
