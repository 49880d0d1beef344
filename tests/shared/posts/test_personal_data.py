from __future__ import annotations

import json

import pytest

from shared.accounts.actions import do_delete_user, do_follow
from shared.accounts.models import User
from shared.accounts.personal_data import export_of
from shared.notifications.models import Inbox, Notification
from shared.notifications.queries import inbox_page, unread_count
from shared.posts.actions import do_comment, do_create_post, do_delete_post
from shared.posts.kinds import COMMENT_WITHDRAWN, POST_WITHDRAWN
from shared.posts.models import Comment, Post
from shared.realtime.history import history
from shared.realtime.models import Publication
from tests.shared.threads import run_together

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


def test_what_followers_were_told(alice: User, bob: User, carol: User) -> None:
    """Who heard of a deleted post keeps a notification without its words and without a link."""
    User.objects.filter(pk=carol.pk).update(language="de")
    for follower in ("bob", "carol"):
        do_follow(User.objects.get(username=follower), "alice")
    kept = do_create_post(alice, "Kept")
    gone = do_create_post(alice, "Regretted")
    do_delete_post(alice, gone.pk)
    for user in (bob, carol):
        newer, older = inbox_page(user)
        assert (older.title, older.url) == ("alice posted: Kept", f"/posts/{kept.pk}/")
        assert (newer.title, newer.url) == (str(POST_WITHDRAWN), "")
        assert unread_count(user) == 2


def test_names_of_deleted_users_go(alice: User, bob: User) -> None:
    """What others were told of a deleted user's posts and comments names them no longer."""
    do_follow(bob, "alice")
    do_create_post(alice, "Hers")
    his = do_create_post(bob, "His")
    said = do_comment(alice, his.pk, "alice's words")
    do_delete_user(alice)
    told = {row.title: row.url for row in Notification.objects.filter(user=bob)}
    assert told == {
        str(POST_WITHDRAWN): "",
        str(COMMENT_WITHDRAWN): f"/posts/{his.pk}/#comment-{said.pk}",
    }
    assert Inbox.objects.get(user=bob).unread == 2


def test_more_than_one_piece(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many posts and comments go piece by piece, and each reader hears of each."""
    monkeypatch.setattr("shared.posts.actions._POSTS_ERASED_AT_ONCE", 2)
    monkeypatch.setattr("shared.posts.actions._COMMENTS_ERASED_AT_ONCE", 2)
    mine = [do_create_post(alice, f"Mine {n}") for n in range(5)]
    his = do_create_post(bob, "His")
    for n in range(5):
        do_comment(alice, his.pk, f"comment {n}")
    do_delete_user(alice)
    assert list(Post.objects.all()) == [his]
    assert not Comment.objects.exists()
    assert [data["type"] for data in logged(his)] == ["redacted"] * 5 + ["comment_deleted"] * 5
    for post in mine:
        assert logged(post) == [{"type": "post_deleted"}]


def test_people_who_delete_themselves_at_once(alice: User, bob: User) -> None:
    """Two who commented on each other's posts go at the same time, and nothing stays."""
    posts = {user.pk: do_create_post(user, "Listen") for user in (alice, bob)}
    for _ in range(20):
        do_comment(alice, posts[bob.pk].pk, "to bob")
        do_comment(bob, posts[alice.pk].pk, "to alice")
    run_together(lambda: do_delete_user(alice), lambda: do_delete_user(bob))
    assert not User.objects.exists()
    assert not Post.objects.exists()
    assert not Comment.objects.exists()
    assert not Notification.objects.exists()
