from __future__ import annotations

import json
from contextlib import suppress

import pytest
from django.db import transaction

from shared.accounts.exceptions import Inactive
from shared.accounts.models import User
from shared.broker.wire import Published
from shared.posts.actions import do_comment, do_create_post, do_delete_comment, do_delete_post
from shared.posts.exceptions import InvalidContent, NotAllowed, UnknownComment, UnknownPost
from shared.posts.models import Comment, Post
from shared.posts.queries import post_position
from shared.realtime.history import history
from shared.realtime.models import Publication

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]


@pytest.fixture
def post(alice: User) -> Post:
    return do_create_post(alice, "Bells", "They ring.")


def logged(post_id: int) -> list[dict[str, object]]:
    return [json.loads(each.data) for each in history(f"post:{post_id}").publications]


class TestPost:
    def test_stored(self, alice: User) -> None:
        """Title and text are the author's; the page has a position to start from."""
        post = do_create_post(alice, " Big \n bells ", "They\n  ring.")
        post.refresh_from_db()
        assert (post.author, post.title, post.body) == (alice, "Big bells", "They\n  ring.")
        position = post_position(post)
        assert position is not None
        assert position.offset == 0

    def test_no_text(self, alice: User) -> None:
        """A title is enough."""
        assert do_create_post(alice, "Bells").body == ""

    @pytest.mark.parametrize(
        ("title", "body", "field"),
        [
            ("", "text", "title"),
            (" \u200b ", "text", "title"),
            ("x" * 121, "text", "title"),
            ("a\0b", "text", "title"),
            ("title", "x" * 20_001, "body"),
            ("title", "\ud800", "body"),
            ("title", "\u200b", "body"),
        ],
    )
    def test_refused(self, alice: User, title: str, body: str, field: str) -> None:
        """What cannot be stored or seen is refused, and the field is named."""
        with pytest.raises(InvalidContent) as refused:
            do_create_post(alice, title, body)
        assert refused.value.field == field
        assert not Post.objects.exists()

    def test_markup_and_scripts_of_the_world(self, alice: User) -> None:
        """Text is stored as it came."""
        text = "<img src=x onerror=alert(1)> {{ 7*7 }} \u202eאב 👩‍👩‍👧"
        post = do_create_post(alice, text, text)
        post.refresh_from_db()
        assert (post.title, post.body) == (text, text)

    def test_inactive_meanwhile(self, alice: User) -> None:
        """The database is asked, not the request's user."""
        User.objects.filter(pk=alice.pk).update(is_active=False)
        with pytest.raises(Inactive):
            do_create_post(alice, "Bells")
        assert not Post.objects.exists()


class TestComment:
    def test_stored_and_published(self, rings: Rings, bob: User, post: Post) -> None:
        """One publication, which refers to the row and carries no copy of it."""
        rings.clear()
        comment = do_comment(bob, post.pk, "Well said")
        assert logged(post.pk) == [comment.as_data()]
        assert comment.as_data() == {
            "type": "comment",
            "id": comment.pk,
            "post": post.pk,
            "username": "bob",
            "body": "Well said",
            "timestamp": comment.created_at.isoformat(),
        }
        assert "Well said" not in "".join(
            data or "" for data in Publication.objects.values_list("data", flat=True)
        )
        (rung,) = [one for ring in rings for one in ring if one.channel == post.channel]
        assert json.loads(rung.data) == comment.as_data()

    @pytest.mark.parametrize("body", ["", " ", "\u200b", "x" * 4_001, "a\0b", "\ud800"])
    def test_refused(self, bob: User, post: Post, body: str) -> None:
        """The field is named, and nothing is stored."""
        with pytest.raises(InvalidContent) as refused:
            do_comment(bob, post.pk, body)
        assert refused.value.field == "body"
        assert logged(post.pk) == []

    def test_unknown_post(self, bob: User, post: Post) -> None:
        """A post that was just deleted takes no comment."""
        do_delete_post(post.author, post.pk)
        with pytest.raises(UnknownPost):
            do_comment(bob, post.pk, "Too late")

    def test_inactive_meanwhile(self, bob: User, post: Post) -> None:
        """A ban counts from the moment it is stored."""
        User.objects.filter(pk=bob.pk).update(is_active=False)
        with pytest.raises(Inactive):
            do_comment(bob, post.pk, "Hello")

    def test_rollback(self, rings: Rings, bob: User, post: Post) -> None:
        """A comment in a transaction that rolls back was never made."""
        rings.clear()
        with suppress(ZeroDivisionError), transaction.atomic():
            do_comment(bob, post.pk, "Hello")
            raise ZeroDivisionError
        assert logged(post.pk) == []
        assert rings == []
        assert not Comment.objects.exists()


class TestDeletingAComment:
    @pytest.mark.parametrize("who", ["alice", "bob", "staff"])
    def test_who_may(self, request: pytest.FixtureRequest, bob: User, post: Post, who: str) -> None:
        """Its author, the post's author and staff; the text is nowhere any more."""
        comment = do_comment(bob, post.pk, "regret")
        do_delete_comment(request.getfixturevalue(who), comment.pk)
        assert not Comment.objects.exists()
        assert logged(post.pk) == [
            {"type": "redacted"},
            {"type": "comment_deleted", "id": comment.pk},
        ]

    def test_others_may_not(self, bob: User, carol: User, post: Post) -> None:
        """Neither may who was staff a moment ago."""
        comment = do_comment(bob, post.pk, "mine")
        carol.is_staff = True
        with pytest.raises(NotAllowed):
            do_delete_comment(carol, comment.pk)
        assert Comment.objects.exists()

    def test_twice(self, bob: User, post: Post) -> None:
        """Whoever comes second is told, and nothing more is published."""
        comment = do_comment(bob, post.pk, "regret")
        do_delete_comment(bob, comment.pk)
        with pytest.raises(UnknownComment):
            do_delete_comment(bob, comment.pk)
        assert len(logged(post.pk)) == 2

    def test_inactive(self, bob: User, post: Post) -> None:
        """Whoever is banned deletes nothing."""
        comment = do_comment(bob, post.pk, "mine")
        User.objects.filter(pk=bob.pk).update(is_active=False)
        with pytest.raises(Inactive):
            do_delete_comment(bob, comment.pk)


class TestDeletingAPost:
    @pytest.mark.parametrize("who", ["alice", "staff"])
    def test_who_may(self, request: pytest.FixtureRequest, bob: User, post: Post, who: str) -> None:
        """Its author and staff; the comments go along, and readers hear of it."""
        do_comment(bob, post.pk, "gone as well")
        do_delete_post(request.getfixturevalue(who), post.pk)
        assert not Post.objects.exists()
        assert not Comment.objects.exists()
        assert logged(post.pk) == [{"type": "redacted"}, {"type": "post_deleted"}]

    def test_others_may_not(self, bob: User, post: Post) -> None:
        """A commenter is no author."""
        do_comment(bob, post.pk, "hello")
        with pytest.raises(NotAllowed):
            do_delete_post(bob, post.pk)
        assert Post.objects.exists()

    @pytest.mark.parametrize("post_id", [0, -1, 999, 2**63 - 1])
    def test_unknown(self, alice: User, post: Post, post_id: int) -> None:
        """An id that leads nowhere is said to."""
        with pytest.raises(UnknownPost):
            do_delete_post(alice, post_id)
