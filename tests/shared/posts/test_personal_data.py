from __future__ import annotations

import json

import pytest

from shared.accounts.actions import do_delete_user
from shared.accounts.models import User
from shared.accounts.personal_data import export_of
from shared.posts.actions import do_comment, do_create_post
from shared.posts.models import Comment, Post
from shared.realtime.history import history
from shared.realtime.models import Publication

pytestmark = pytest.mark.django_db(transaction=True)


def logged(post: Post) -> list[dict[str, object]]:
    return [json.loads(each.data) for each in history(post.channel).publications]


def test_export(alice: User, bob: User) -> None:
    """One's own posts and comments, nobody else's; JSON can hold it."""
    mine = do_create_post(alice, "Mine", "text")
    his = do_create_post(bob, "His")
    said = do_comment(alice, his.pk, "hello")
    do_comment(bob, mine.pk, "not hers")
    exported = json.loads(json.dumps(export_of(alice)["posts"], default=str))
    assert exported == {
        "posts": [
            {
                "id": mine.pk,
                "title": "Mine",
                "body": "text",
                "created": mine.created_at.isoformat(),
            }
        ],
        "comments": [
            {
                "id": said.pk,
                "post": his.pk,
                "body": "hello",
                "created": said.created_at.isoformat(),
            }
        ],
    }


def test_a_deleted_user_leaves_nothing(alice: User, bob: User) -> None:
    """Posts and comments go from rows and log; who reads them hears of it; others' stay."""
    mine = do_create_post(alice, "Mine")
    his = do_create_post(bob, "His")
    said = do_comment(alice, his.pk, "alice's words")
    kept = do_comment(bob, his.pk, "bob's words")
    do_comment(bob, mine.pk, "below hers")
    do_delete_user(alice)
    assert list(Post.objects.all()) == [his]
    assert list(Comment.objects.all()) == [kept]
    assert logged(his) == [
        {"type": "redacted"},
        kept.as_data(),
        {"type": "comment_deleted", "id": said.pk},
    ]
    assert logged(mine) == [{"type": "redacted"}, {"type": "post_deleted"}]
    data = "".join(text or "" for text in Publication.objects.values_list("data", flat=True))
    assert "alice" not in data


def test_a_user_without_posts(alice: User) -> None:
    """Nothing is published."""
    do_delete_user(alice)
    assert not Publication.objects.exclude(data__contains="revoked").exists()
