"""What a person may write in a minute, through pages as through the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from shared.accounts.models import User
from shared.accounts.queries import follows
from shared.chat.models import ChatRoom
from shared.posts.actions import do_create_post
from shared.posts.models import Comment, Post

type SignIn = Callable[[User], Client]

WAIT = "This is more than 2 a minute: try again in 30 seconds."


@pytest.fixture(autouse=True)
def two_a_minute(settings: Settings) -> None:
    settings.CARILLON_API_WRITES_PER_MINUTE = 2


def test_posts(alice: User, signed_in: SignIn) -> None:
    """The third is refused with 429 and what was written still there; the API counts the same."""
    browser = signed_in(alice)
    for number in range(2):
        assert browser.post("/feed/", {"title": f"post {number}"}).status_code == 302
    response = browser.post("/feed/", {"title": "one too many"})
    assert response.status_code == 429
    assert WAIT in response.content.decode()
    assert "one too many" in response.content.decode()
    body = {"title": "by the API"}
    assert browser.post("/api/v1/posts", body, "application/json").status_code == 429
    assert Post.objects.count() == 2


def test_a_bad_one_costs_nothing(alice: User, signed_in: SignIn) -> None:
    """What is refused for itself is not counted."""
    browser = signed_in(alice)
    for _ in range(3):
        assert browser.post("/feed/", {"title": ""}).status_code == 400
    assert browser.post("/feed/", {"title": "fine"}).status_code == 302


def test_comments(alice: User, bob: User, signed_in: SignIn) -> None:
    """One person's budget is nobody else's."""
    post = do_create_post(alice, title="Bells", body="")
    browser, other = signed_in(alice), signed_in(bob)
    answers = [browser.post(f"/posts/{post.pk}/", {"body": "Hm."}) for _ in range(3)]
    assert [each.status_code for each in answers] == [302, 302, 429]
    assert WAIT in answers[2].content.decode()
    assert other.post(f"/posts/{post.pk}/", {"body": "Hm."}).status_code == 302
    assert Comment.objects.count() == 3


def test_rooms(alice: User, signed_in: SignIn) -> None:
    """The third room of a minute is not made."""
    browser = signed_in(alice)
    before = ChatRoom.objects.count()
    answers = [browser.post("/rooms/", {"name": f"room-{n}"}) for n in range(3)]
    assert [each.status_code for each in answers] == [302, 302, 429]
    assert WAIT in answers[2].content.decode()
    assert ChatRoom.objects.count() == before + 2


def test_members(alice: User, bob: User, signed_in: SignIn) -> None:
    """Adding and removing are as many as rooms that one may make, and count with those."""
    browser = signed_in(alice)
    browser.post("/rooms/", {"name": "ours", "members_only": "on"})
    answers = [
        browser.post("/rooms/ours/members/", {"username": bob.username, "action": action})
        for action in ("add", "remove")
    ]
    assert [each.status_code for each in answers] == [302, 429]
    assert WAIT in answers[1].content.decode()
    assert ChatRoom.objects.get(name="ours").members.filter(pk=bob.pk).exists()


def test_follows(alice: User, bob: User, signed_in: SignIn) -> None:
    """Following to and fro ends with a message on the person's page."""
    browser = signed_in(alice)
    for action in ("follow", "unfollow"):
        browser.post(f"/people/{bob.username}/", {"action": action})
    response = browser.post(f"/people/{bob.username}/", {"action": "follow"}, follow=True)
    assert WAIT in response.content.decode()
    assert not follows(alice, bob)
