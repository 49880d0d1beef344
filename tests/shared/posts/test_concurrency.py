from __future__ import annotations

import json
import threading

import pytest

from shared.accounts.actions import do_follow
from shared.accounts.models import User
from shared.notifications.models import Inbox, Notification
from shared.posts.actions import do_comment, do_create_post, do_delete_comment, do_delete_post
from shared.posts.exceptions import UnknownComment, UnknownPost
from shared.posts.models import Comment
from shared.realtime.history import history
from tests.shared.threads import run_together

pytestmark = pytest.mark.django_db(transaction=True)


def test_comments_while_the_post_is_deleted(alice: User, bob: User, carol: User) -> None:
    """Each comment is made before the deletion or refused after it: nothing fails half-way."""
    post = do_create_post(alice, "Bells")
    start = threading.Barrier(4)
    some = threading.Event()

    def comment(user: User) -> int:
        start.wait(10)
        for number in range(20):
            try:
                do_comment(user, post.pk, f"comment {number}")
            except UnknownPost:
                return number
            some.set()
        return 20

    def delete() -> int:
        start.wait(10)
        assert some.wait(20)
        do_delete_post(alice, post.pk)
        return 0

    made = sum(run_together(*[lambda u=u: comment(u) for u in (alice, bob, carol)], delete))
    assert not Comment.objects.exists()
    types = [json.loads(each.data)["type"] for each in history(f"post:{post.pk}").publications]
    assert types == ["redacted"] * made + ["post_deleted"]


def test_people_who_post_to_each_other_at_once(alice: User, bob: User, carol: User) -> None:
    """They lock the same inboxes and streams: none is lost, told twice or a deadlock's victim."""
    people = (alice, bob, carol)
    for person in people:
        for other in people:
            if other != person:
                do_follow(person, other.username)
    posts = [do_create_post(person, "Listen") for person in people]
    start = threading.Barrier(3)

    def talk(person: User) -> None:
        start.wait(10)
        for number in range(8):
            do_create_post(person, f"post {number}")
            for post in posts:
                do_comment(person, post.pk, f"comment {number}")

    run_together(*[lambda p=p: talk(p) for p in people])
    for person in people:
        # Eight and the first post of two others, and their comments on one's own.
        told = Notification.objects.filter(user=person)
        assert told.filter(kind="posts.new_post").count() == 2 * 9
        assert told.filter(kind="posts.new_comment").count() == 2 * 8
        assert Inbox.objects.get(user=person).unread == told.count()


def test_two_delete_one_comment(alice: User, bob: User) -> None:
    """One of them does, the other is told that it is gone; readers hear of it once."""
    post = do_create_post(alice, "Bells")
    comment = do_comment(bob, post.pk, "regret")
    start = threading.Barrier(2)

    def delete(user: User) -> bool:
        start.wait(10)
        try:
            do_delete_comment(user, comment.pk)
        except UnknownComment:
            return False
        return True

    assert sorted(run_together(lambda: delete(alice), lambda: delete(bob))) == [False, True]
    assert len(history(post.channel).publications) == 2
