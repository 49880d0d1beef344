"""The page of a post, and what is said below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from shared.accounts.models import User
from shared.posts.actions import do_comment, do_create_post
from shared.posts.models import Comment, Post
from shared.posts.queries import post_position
from tests.web.test_rooms import page_json
from tests.web.test_safety import InlineFinder, statements

type SignIn = Callable[[User], Client]

MARKUP = "<img src=x onerror=alert(1)></script><script>alert(2)</script>{{7*7}} ' \" אב"


@pytest.fixture
def post(alice: User) -> Post:
    return do_create_post(alice, "Bells", "They ring.")


@pytest.fixture
def path(post: Post) -> str:
    return f"/posts/{post.pk}/"


def test_commenting_leads_to_the_comment(
    path: str, post: Post, bob: User, signed_in: SignIn
) -> None:
    """The address names it, so that a browser scrolls there."""
    browser = signed_in(bob)
    response = browser.post(path, {"body": "Well\r\nsaid"})
    comment = Comment.objects.get()
    assert response.headers["Location"] == f"{path}#comment-{comment.pk}"
    assert comment.body == "Well\nsaid"
    assert f'id="comment-{comment.pk}"' in browser.get(path).content.decode()


@pytest.mark.parametrize("body", ["", " \n", "\u200b", "x" * 4_001, "a\0b"])
def test_a_bad_comment_comes_back_with_its_fault(
    body: str, path: str, bob: User, signed_in: SignIn
) -> None:
    """400; the post is still there, and nothing is stored."""
    response = signed_in(bob).post(path, {"body": body})
    assert response.status_code == 400
    assert set(response.context["form"].errors) == {"body"}
    assert b"They ring." in response.content
    assert not Comment.objects.exists()


@pytest.mark.parametrize("post_id", ["0", "999", str(2**63 - 1), str(2**63), "9" * 400])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_post_that_is_not_there(
    method: str, post_id: str, post: Post, alice: User, signed_in: SignIn
) -> None:
    """404, whatever one wants of it."""
    browser = signed_in(alice)
    assert getattr(browser, method)(f"/posts/{post_id}/", {"body": "x"}).status_code == 404


def test_the_page_says_where_to_listen_from(
    path: str, post: Post, alice: User, bob: User, signed_in: SignIn
) -> None:
    """The position, and whether the reader may delete everybody's comments."""
    do_comment(bob, post.pk, "Well said")
    data = page_json(signed_in(bob).get(path), "post-data")
    assert data == {
        "id": post.pk,
        "channel": f"post:{post.pk}",
        "position": str(post_position(post)),
        "moderates": False,
    }
    assert page_json(signed_in(alice).get(path), "post-data")["moderates"] is True


def test_the_position_is_read_before_the_comments(path: str, bob: User, signed_in: SignIn) -> None:
    """What is said between the two reads is heard again instead of lost."""
    asked: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    browser = signed_in(bob)
    with connection.execute_wrapper(watch):
        browser.get(path)
    (comments,) = [n for n, sql in enumerate(asked) if 'FROM "posts_comment"' in sql]
    heads = [n for n, sql in enumerate(asked) if "realtime_stream s" in sql]
    posts = [n for n, sql in enumerate(asked) if 'FROM "posts_post"' in sql]
    assert any(max(posts) < head < comments for head in heads)


def test_comments_the_oldest_first_by_pages(
    path: str, post: Post, alice: User, bob: User, signed_in: SignIn
) -> None:
    """The newest fifty; those before are a link away, on a page that does not go live."""
    said = [do_comment(bob, post.pk, f"comment-{number:02}") for number in range(53)]
    browser = signed_in(alice)
    first = browser.get(path)
    assert [row.comment for row in first.context["rows"]] == said[3:]
    assert b"build/post" in first.content
    older = browser.get(f"{path}?before={said[3].pk}")
    assert [row.comment for row in older.context["rows"]] == said[:3]
    assert b"Newest comments" in older.content
    assert b"build/post" not in older.content


def test_the_page_costs_few_queries(
    path: str,
    post: Post,
    bob: User,
    carol: User,
    signed_in: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """Session, user, post, position, comments, and what every page asks."""
    for number in range(20):
        do_comment((bob, carol)[number % 2], post.pk, f"comment {number}")
    browser = signed_in(bob)
    with django_assert_max_num_queries(10):
        page = browser.get(path).content.decode()
    # One more stands in the template for those that come live.
    assert page.count('data-testid="comment"') == 20 + 1


def test_who_sees_delete_buttons(
    path: str, post: Post, alice: User, bob: User, carol: User, staff: User, signed_in: SignIn
) -> None:
    """Those who may delete, beside what they may delete."""
    do_comment(bob, post.pk, "his")
    do_comment(carol, post.pk, "hers")
    for reader, comments, whole in (
        (alice, 2, True),
        (bob, 1, False),
        (staff, 2, True),
    ):
        page = signed_in(reader).get(path).content.decode()
        assert page.count('data-testid="delete-comment"') == comments + 1
        assert ('data-testid="delete-post"' in page) is whole


def test_deleting_a_comment(path: str, post: Post, bob: User, signed_in: SignIn) -> None:
    """By its button; a second click on an old page is told that it is gone."""
    comment = do_comment(bob, post.pk, "regret")
    browser = signed_in(bob)
    form = {"action": "delete", "comment": comment.pk}
    assert b"The comment is deleted." in browser.post(path, form, follow=True).content
    assert not Comment.objects.exists()
    assert b"There is no such comment." in browser.post(path, form, follow=True).content


def test_deleting_the_post(path: str, alice: User, signed_in: SignIn) -> None:
    """It leads back to the feed; its page is gone."""
    browser = signed_in(alice)
    response = browser.post(path, {"action": "delete"})
    assert response.headers["Location"] == "/feed/"
    assert browser.get(path).status_code == 404
    assert browser.post(path, {"action": "delete"}).status_code == 404


def test_nobody_deletes_what_is_not_theirs(
    path: str, post: Post, bob: User, carol: User, signed_in: SignIn
) -> None:
    """403, and all stays."""
    comment = do_comment(bob, post.pk, "his")
    browser = signed_in(carol)
    assert browser.post(path, {"action": "delete"}).status_code == 403
    form = {"action": "delete", "comment": comment.pk}
    assert browser.post(path, form).status_code == 403
    assert Post.objects.exists()
    assert Comment.objects.exists()


@pytest.mark.parametrize("comment", ["x", "0", "-1", str(2**63), "9" * 400, "1\0"])
def test_an_odd_comment_id_deletes_nothing(
    comment: str, path: str, alice: User, signed_in: SignIn
) -> None:
    """400: neither a comment nor, by mistake, the post."""
    response = signed_in(alice).post(path, {"action": "delete", "comment": comment})
    assert response.status_code == 400
    assert Post.objects.exists()


def test_reading_does_not_write(path: str, post: Post, bob: User, signed_in: SignIn) -> None:
    """On none of the three pages."""
    do_comment(bob, post.pk, "Well said")
    browser = signed_in(bob)
    for page in (path, "/feed/", "/feed/?tab=everybody", "/people/alice/"):
        with statements() as written:
            assert browser.get(page).status_code == 200
        assert written == []


def test_pages_need_no_exception_of_the_policy(
    path: str, post: Post, alice: User, signed_in: SignIn
) -> None:
    """Nothing inline, whatever people wrote."""
    do_comment(alice, do_create_post(alice, MARKUP, MARKUP).pk, MARKUP)
    browser = signed_in(alice)
    for page in (path, f"/posts/{post.pk + 1}/", "/feed/", "/people/alice/"):
        response = browser.get(page)
        assert response.status_code == 200
        finder = InlineFinder()
        finder.feed(response.content.decode())
        assert finder.inline == []
        assert b"<img src=x" not in response.content
        assert "no-store" in response.headers["Cache-Control"]


def test_another_sites_form_is_refused(path: str, alice: User) -> None:
    """Without the page's token nothing is posted, said, deleted or followed."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    for page in ("/feed/", path, "/people/bob/"):
        assert (
            browser.post(page, {"title": "x", "body": "x", "action": "delete"}).status_code == 403
        )
    assert Post.objects.count() == 1
    assert not Comment.objects.exists()
