from __future__ import annotations

from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from pytest_django import Settings

from shared.accounts.demo import DEMO_PASSWORD, demo_users_left
from shared.accounts.models import User
from shared.accounts.names import validate_username
from shared.chat.models import ChatRoom


@pytest.mark.parametrize(
    "name",
    [
        "System",
        "system",
        "SYSTEM",
        " System ",
        "Ｓｙｓｔｅｍ",
        "ⓢⓨⓢⓣⓔⓜ",
        "ſystem",
        "Carillon",
        "everyone",
        "all",
    ],
)
def test_reserved_name(name: str) -> None:
    """Nobody takes the server's own name, however it is spelt."""
    with pytest.raises(ValidationError) as caught:
        validate_username(name)
    assert caught.value.code == "reserved"


@pytest.mark.parametrize("name", ["alice", "systematic", "the-system", "all.of.us", "system1"])
def test_free_name(name: str) -> None:
    """A name that only contains a reserved one is free."""
    validate_username(name)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Sуstem", "аlice", "ali\u200bce", "a b", "a\n", "ａlice", ""])
def test_name_with_look_alikes(name: str) -> None:
    """User names are ASCII: letters of another script cannot pass for somebody else's."""
    with pytest.raises(ValidationError) as caught:
        User(username=name, password="x").full_clean()
    assert set(caught.value.message_dict) == {"username"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "valid"), [("Europe/Berlin", True), ("UTC", True), ("Mars/Base", False), ("", False)]
)
def test_time_zone(zone: str, valid: bool) -> None:
    """A time zone is one that texts can be rendered in."""
    user = User(username="someone", password="x", time_zone=zone)
    if valid:
        user.full_clean()
    else:
        with pytest.raises(ValidationError, match=r"time_zone"):
            user.full_clean()


@pytest.mark.django_db
class TestDemo:
    def test_twice(self) -> None:
        """Loading the demo again changes nothing; changed passwords stay."""
        for _ in range(2):
            call_command("load_demo", verbosity=0)
        assert set(User.objects.values_list("username", flat=True)) == {
            "alice",
            "bob",
            "carol",
            "admin",
        }
        assert User.objects.get(is_staff=True).username == "admin"
        assert ChatRoom.objects.get().name == "lobby"
        alice = User.objects.get(username="alice")
        alice.set_password("her own words")
        alice.save()
        call_command("load_demo", verbosity=0)
        alice.refresh_from_db()
        assert alice.check_password("her own words")
        assert sorted(demo_users_left()) == ["admin", "bob", "carol"]

    def test_sentence(self) -> None:
        """A person is told whom to sign in as."""
        out = StringIO()
        call_command("load_demo", stdout=out)
        assert "alice" in out.getvalue()

    def test_refused(self, settings: Settings) -> None:
        """Users whose password everybody knows need a permission."""
        settings.CARILLON_DEMO = False
        with pytest.raises(CommandError, match="CARILLON_DEMO=1"):
            call_command("load_demo")
        assert not User.objects.exists()

    def test_left_over(self) -> None:
        """A demo user counts as left while active and with the demo password."""
        User.objects.create_user("alice", password=DEMO_PASSWORD)
        User.objects.create_user("bob", password="changed")
        User.objects.create_user("carol", password=DEMO_PASSWORD, is_active=False)
        User.objects.create_user("dave", password=DEMO_PASSWORD)
        assert demo_users_left() == ["alice"]
