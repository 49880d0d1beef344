"""Rooms, members, posts, comments, and whom one follows, through the API."""

from __future__ import annotations

import pytest

from shared.accounts.models import Follow, User
from shared.chat.models import ChatRoom, Membership
from shared.posts.models import Comment, Post
from tests.web.api.conftest import Browser


def test_a_room_is_made_and_listed(alice: User, bob: User, browser: Browser) -> None:
    """201 with the room; others find it, unless it is for members only."""
    api = browser(alice)
    made = api.post("rooms", {"name": "attic"})
    hidden = api.post("rooms", {"name": "cellar", "members_only": True})
    assert (made.status_code, hidden.status_code) == (201, 201)
    names = [
        [room["name"] for room in browser(who).get("rooms").json()["rooms"]] for who in (alice, bob)
    ]
    assert names == [["cellar", "attic"], ["attic"]]
    assert browser(bob).get("rooms/attic").json() == made.json()
    assert browser(bob).get("rooms/cellar").status_code == 404


@pytest.mark.parametrize("name", ["", "a b", "x" * 101, "naïve", "a\n"])
def test_a_room_needs_a_name_that_fits_an_address(name: str, alice: User, browser: Browser) -> None:
    """400 naming the field; nothing is made."""
    response = browser(alice).post("rooms", {"name": name})
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["name"]
    assert not ChatRoom.objects.exists()


def test_two_rooms_of_one_name(alice: User, lobby: ChatRoom, browser: Browser) -> None:
    """409 for the second."""
    assert browser(alice).post("rooms", {"name": "lobby"}).status_code == 409


def test_members_come_and_go(alice: User, bob: User, backroom: ChatRoom, browser: Browser) -> None:
    """The creator adds and removes; the creator stays, and others have no say."""
    api, members = browser(alice), "rooms/backroom/members"
    assert browser(bob).put(f"{members}/bob").status_code == 404
    for _ in range(2):
        assert api.put(f"{members}/bob").status_code == 204
    listed = browser(bob).get(members).json()
    assert [each["username"] for each in listed["members"]] == ["bob", "alice"]
    assert browser(bob).delete(f"{members}/alice").status_code == 403
    assert api.delete(f"{members}/alice").status_code == 409
    assert api.delete(f"{members}/bob").status_code == 204
    assert api.put(f"{members}/nobody").status_code == 404
    assert Membership.objects.count() == 1


def test_a_post_is_read_and_deleted(alice: User, bob: User, browser: Browser) -> None:
    """Anybody reads it; its author deletes it, and then it is nobody's."""
    made = browser(alice).post("posts", {"title": " Lunch  on Friday ", "body": "<b>!"}).json()
    assert (made["title"], made["body"], made["author"]) == ("Lunch on Friday", "<b>!", "alice")
    assert browser(bob).get(f"posts/{made['id']}").json() == made
    assert browser(bob).delete(f"posts/{made['id']}").status_code == 403
    assert browser(alice).delete(f"posts/{made['id']}").status_code == 204
    for answer in (
        browser(alice).get(f"posts/{made['id']}"),
        browser(alice).delete(f"posts/{made['id']}"),
        browser(bob).post(f"posts/{made['id']}/comments", {"body": "late"}),
    ):
        assert answer.status_code == 404


def test_the_feed_of_those_one_follows(
    alice: User, bob: User, carol: User, browser: Browser
) -> None:
    """`following` leaves out everybody else but oneself."""
    for author in (alice, bob, carol):
        Post.objects.create(author=author, title=author.username)
    api = browser(alice)
    assert api.put("users/bob/follow").status_code == 204
    everybody = [post["author"] for post in api.get("posts").json()["posts"]]
    followed = [post["author"] for post in api.get("posts", following="true").json()["posts"]]
    assert (everybody, followed) == (["carol", "bob", "alice"], ["bob", "alice"])


def test_comments_go_back_page_by_page(alice: User, bob: User, browser: Browser) -> None:
    """The newest first, each once, whatever the size of the pages."""
    post = Post.objects.create(author=alice, title="x")
    api, path = browser(bob), f"posts/{post.pk}/comments"
    said = [api.post(path, {"body": f"comment {n}"}).json() for n in range(7)]
    seen, query = [], {}
    while True:
        page = api.get(path, limit=3, **query).json()
        seen += page["comments"]
        if page["next"] is None:
            break
        query = {"before": page["next"]}
    assert seen == said[::-1]


def test_who_deletes_a_comment(alice: User, bob: User, carol: User, browser: Browser) -> None:
    """Its author and the post's; nobody else."""
    post = Post.objects.create(author=alice, title="x")
    first, second = (Comment.objects.create(post=post, author=bob, body="y") for _ in range(2))
    assert browser(carol).delete(f"comments/{first.pk}").status_code == 403
    assert browser(bob).delete(f"comments/{first.pk}").status_code == 204
    assert browser(alice).delete(f"comments/{second.pk}").status_code == 204
    assert browser(alice).delete(f"comments/{second.pk}").status_code == 404


def test_following(alice: User, bob: User, browser: Browser) -> None:
    """Again changes nothing, on either side; nobody follows themselves or nobody."""
    api = browser(alice)
    for _ in range(2):
        assert api.put("users/bob/follow").status_code == 204
    assert Follow.objects.count() == 1
    profile = api.get("users/bob").json()
    assert profile == {"id": bob.pk, "username": "bob", "following": True, "follows_you": False}
    assert browser(bob).get("users/alice").json()["follows_you"] is True
    for _ in range(2):
        assert api.delete("users/bob/follow").status_code == 204
    assert not Follow.objects.exists()
    assert api.put("users/alice/follow").status_code == 409
    assert api.put("users/nobody/follow").status_code == 404
