"""The feed, and posting there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from shared.accounts.actions import do_follow
from shared.accounts.models import User
from shared.posts.actions import do_comment, do_create_post
from shared.posts.models import Post

type SignIn = Callable[[User], Client]

MARKUP = "<img src=x onerror=alert(1)></script><script>alert(2)</script>{{7*7}} ' \" אב"


def test_posting_leads_to_the_post(alice: User, signed_in: SignIn) -> None:
    """Lines end as the author ended them."""
    form = {"title": "Bells", "body": "They ring.\r\nAt noon."}
    response = signed_in(alice).post("/feed/", form)
    post = Post.objects.get()
    assert response.headers["Location"] == f"/posts/{post.pk}/"
    assert (post.author, post.title, post.body) == (alice, "Bells", "They ring.\nAt noon.")


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({}, "title"),
        ({"title": " "}, "title"),
        ({"title": "\u200b"}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"title": "fine", "body": "x" * 20_001}, "body"),
        ({"title": "fine", "body": "a\0b"}, "body"),
        ({"title": "fine", "body": "\u200b"}, "body"),
    ],
)
def test_a_bad_post_comes_back_with_its_fault(
    form: dict[str, str], field: str, alice: User, signed_in: SignIn
) -> None:
    """400, the form open, what was written still there; nothing is stored."""
    response = signed_in(alice).post("/feed/", form)
    assert response.status_code == 400
    assert set(response.context["form"].errors) == {field}
    assert b'<details class="card post-form" open>' in response.content
    assert not Post.objects.exists()


def test_a_text_as_long_as_may_be_is_taken(alice: User, signed_in: SignIn) -> None:
    """Browsers count a line's end once and send it as two characters."""
    body = "line\r\n" * 4_000
    response = signed_in(alice).post("/feed/", {"title": "Long", "body": body})
    assert response.status_code == 302
    assert len(Post.objects.get().body) == 20_000 - 1


def test_following_and_everybody(alice: User, bob: User, carol: User, signed_in: SignIn) -> None:
    """One tab has those whom the reader follows, the other all."""
    do_follow(bob, "alice")
    do_create_post(alice, "by alice")
    do_create_post(carol, "by carol")
    browser = signed_in(bob)
    following = browser.get("/feed/").content
    assert b"by alice" in following
    assert b"by carol" not in following
    everybody = browser.get("/feed/?tab=everybody").content
    assert b"by alice" in everybody
    assert b"by carol" in everybody


def test_an_empty_feed_says_what_to_do(alice: User, signed_in: SignIn) -> None:
    """On both tabs."""
    browser = signed_in(alice)
    assert b"See what everybody posts" in browser.get("/feed/").content
    assert b"Write the first post" in browser.get("/feed/?tab=everybody").content


def test_older_posts_are_a_link_away(alice: User, bob: User, signed_in: SignIn) -> None:
    """The tab stays; the last page offers nothing older."""
    posts = [do_create_post(alice, f"post-{number:02}") for number in range(21)]
    browser = signed_in(bob)
    first = browser.get("/feed/?tab=everybody").content.decode()
    assert first.count('data-testid="post"') == 20
    assert f'href="?tab=everybody&amp;before={posts[1].pk}"' in first
    second = browser.get(f"/feed/?tab=everybody&before={posts[1].pk}").content.decode()
    assert second.count('data-testid="post"') == 1
    assert "post-00" in second
    assert 'data-testid="older"' not in second
    beyond = browser.get(f"/feed/?tab=everybody&before={posts[0].pk}")
    assert b"Nothing older" in beyond.content


@pytest.mark.parametrize("before", ["", "x", "-1", "1.5", "٣", "9" * 19, "9" * 5_000, "%00"])
@pytest.mark.parametrize("tab", ["everybody", "following", "nonsense"])
def test_odd_pages_show_the_first_or_none(
    before: str, tab: str, alice: User, signed_in: SignIn
) -> None:
    """Never an error."""
    do_create_post(alice, "Bells")
    response = signed_in(alice).get(f"/feed/?tab={tab}&before={before}")
    assert response.status_code == 200
    assert b"Bells" in response.content


def test_markup_is_text(alice: User, signed_in: SignIn) -> None:
    """In the title, in the text and in what helps screen readers."""
    do_create_post(alice, MARKUP, MARKUP)
    page = signed_in(alice).get("/feed/").content
    assert b"&lt;img src=x onerror=alert(1)&gt;" in page
    assert b"<img src=x" not in page
    assert b"<script>alert" not in page


def test_the_feed_costs_few_queries(
    alice: User,
    bob: User,
    signed_in: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """Session, user, posts, and what every page asks: not one for each post."""
    do_follow(bob, "alice")
    for number in range(12):
        do_comment(bob, do_create_post(alice, f"post {number}").pk, "so it is")
    browser = signed_in(bob)
    with django_assert_max_num_queries(8):
        page = browser.get("/feed/").content
    assert page.count(b">1 comment<") == 12


def test_a_user_banned_meanwhile_may_not_post(alice: User, signed_in: SignIn) -> None:
    """They are signed out by then."""
    browser = signed_in(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    response = browser.post("/feed/", {"title": "Bells"})
    assert response.status_code in {302, 403}
    assert not Post.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(method: str, alice: User, signed_in: SignIn) -> None:
    """405 on each of the three pages."""
    post = do_create_post(alice, "Bells")
    for path in ("/feed/", f"/posts/{post.pk}/", "/people/alice/"):
        assert getattr(signed_in(alice), method)(path).status_code == 405


def test_strangers_sign_in_first(alice: User) -> None:
    """And come back to where they were going."""
    post = do_create_post(alice, "Bells")
    for path in ("/feed/", f"/posts/{post.pk}/", "/people/alice/"):
        assert Client().get(path).headers["Location"] == f"/accounts/login/?next={path}"
        assert Client().post(path, {"title": "x", "body": "x"}).status_code == 302
    assert Post.objects.count() == 1
