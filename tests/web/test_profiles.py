"""People's pages, and following."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from shared.accounts.actions import do_ban, do_deactivate, do_follow
from shared.accounts.models import Follow, User
from shared.posts.actions import do_comment, do_create_post

type SignIn = Callable[[User], Client]


def test_following_and_not_any_more(alice: User, bob: User, signed_in: SignIn) -> None:
    """Each is confirmed; doing it again changes nothing."""
    browser = signed_in(bob)
    for _ in range(2):
        page = browser.post("/people/alice/", {"action": "follow"}, follow=True)
        assert b"You follow alice now" in page.content
        assert b'data-testid="unfollow"' in page.content
        assert Follow.objects.filter(follower=bob, followed=alice).count() == 1
    for _ in range(2):
        page = browser.post("/people/alice/", {"action": "unfollow"}, follow=True)
        assert b"You no longer follow alice" in page.content
        assert b'data-testid="follow"' in page.content
        assert not Follow.objects.exists()


def test_nobody_follows_themselves(alice: User, signed_in: SignIn) -> None:
    """There is no button, and a forged form is told why."""
    browser = signed_in(alice)
    assert b'data-testid="follow"' not in browser.get("/people/alice/").content
    page = browser.post("/people/alice/", {"action": "follow"}, follow=True)
    assert b"Nobody follows themselves" in page.content
    assert not Follow.objects.exists()


@pytest.mark.parametrize("form", [{}, {"action": ""}, {"action": "burn"}, {"action": "a\0b"}])
def test_a_form_that_says_nothing(
    form: dict[str, str], alice: User, bob: User, signed_in: SignIn
) -> None:
    """400, and nothing happens."""
    assert signed_in(bob).post("/people/alice/", form).status_code == 400
    assert not Follow.objects.exists()


@pytest.mark.parametrize(
    "name", ["nobody", "Alice", "al ice", "a%00b", "%ED%A0%80", "é", "x" * 151]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_people(name: str, method: str, alice: User, signed_in: SignIn) -> None:
    """404, whoever the name might have meant."""
    browser = signed_in(alice)
    assert getattr(browser, method)(f"/people/{name}/", {"action": "follow"}).status_code == 404


@pytest.mark.parametrize("name", ["ada.lovelace", "a+b@example.org", "_-_", "x" * 150])
def test_every_name_that_may_be_has_a_page(name: str, alice: User, signed_in: SignIn) -> None:
    """And the feed links to it."""
    person = User.objects.create_user(name)
    do_create_post(person, "Bells")
    browser = signed_in(alice)
    feed = browser.get("/feed/?tab=everybody").content.decode()
    assert f'href="/people/{name}/"' in feed
    assert browser.get(f"/people/{name}/").status_code == 200


def test_the_page_shows_the_person(alice: User, bob: User, carol: User, signed_in: SignIn) -> None:
    """Their numbers and their posts, nobody else's."""
    do_follow(bob, "alice")
    do_follow(carol, "alice")
    do_create_post(alice, "by alice")
    do_create_post(bob, "by bob")
    page = signed_in(bob).get("/people/alice/")
    assert page.context["counts"] == (1, 2, 0)
    assert b"by alice" in page.content
    assert b"by bob" not in page.content


def test_a_ban_is_told_to_staff_alone(
    alice: User, bob: User, staff: User, signed_in: SignIn
) -> None:
    """Others see that the account is not active; nobody can follow it."""
    do_create_post(alice, "still there")
    do_ban(staff, alice, "spam & more")
    page = signed_in(staff).get("/people/alice/").content
    assert b"by root: spam &amp; more" in page
    page = signed_in(bob).get("/people/alice/").content
    assert b"This account is not active." in page
    assert b"spam" not in page
    assert b"still there" in page
    assert b'data-testid="follow"' not in page
    page = signed_in(bob).post("/people/alice/", {"action": "follow"}, follow=True).content
    assert b"There is no user of this name." in page


def test_a_deactivated_account(bob: User, staff: User, signed_in: SignIn) -> None:
    """Staff reads that it was not banned."""
    do_deactivate(staff, bob)
    assert b"This account is deactivated." in signed_in(staff).get("/people/bob/").content


def test_older_posts(alice: User, bob: User, signed_in: SignIn) -> None:
    """Twenty on a page, and no more after the last."""
    posts = [do_create_post(alice, f"post-{number:02}") for number in range(22)]
    browser = signed_in(bob)
    first = browser.get("/people/alice/").content.decode()
    assert f'href="?before={posts[2].pk}"' in first
    second = browser.get(f"/people/alice/?before={posts[2].pk}").content.decode()
    assert second.count('data-testid="post"') == 2
    assert 'data-testid="older"' not in second


def test_the_page_costs_few_queries(
    alice: User,
    bob: User,
    signed_in: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """Session, user, person, three numbers, follow, posts, and what every page asks."""
    for number in range(12):
        do_comment(bob, do_create_post(alice, f"post {number}").pk, "so it is")
    browser = signed_in(bob)
    with django_assert_max_num_queries(13):
        browser.get("/people/alice/")
