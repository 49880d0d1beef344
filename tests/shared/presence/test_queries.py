"""Who is where, as Django code asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from shared.accounts.models import User
from shared.chat.models import ChatRoom
from shared.presence import queries
from shared.presence.clients import ClientInfo, Entry, Stats, account_of
from shared.presence.models import PresentClient
from tests.shared.presence.leases import Writer, gone, here, left

type Ask = Callable[[], object]


def test_counting(db: None) -> None:
    """Clients are counted each, users once, and all who are anonymous as one."""
    Writer("a", here("chat:a", "c1", 1), here("chat:a", "c2", 1), here("chat:a", "c3"))
    Writer("b", here("chat:a", "c4", 1), here("chat:a", "c5"), here("chat:b", "c4", 1))
    assert queries.stats("chat:a") == Stats(num_clients=5, num_users=2)
    assert queries.stats_of(["chat:b", "chat:c"]) == {
        "chat:b": Stats(1, 1),
        "chat:c": Stats(0, 0),
    }


def test_without_one_gateway(db: None) -> None:
    """A gateway that knows its own clients asks for those of the others."""
    a = Writer("a", here("chat:a", "c1", 1), here("chat:a", "c2", 2))
    Writer("b", here("chat:a", "c3", 1), here("chat:a", "c4", 1))
    found = queries.attendance_of(["chat:a"], but=a.incarnation)
    assert (set(found["chat:a"].present), found["chat:a"].expected) == ({"c3", "c4"}, [])
    assert queries.tallies_of(["chat:a", "chat:b"], but=a.incarnation) == {
        "chat:a": {"1": 2},
        "chat:b": {},
    }


def test_users_elsewhere(db: None) -> None:
    """Whoever is with another gateway is found, not whoever is with the one that asks alone."""
    a = Writer("a", here("chat:a", "c1", 1), here("chat:a", "c2", 2))
    Writer("b", here("chat:a", "c3", 1), here("chat:b", "c4", 2))
    pairs = [("chat:a", "1"), ("chat:a", "2"), ("chat:b", "2"), ("chat:b", "3")]
    assert queries.users_in(pairs, but=a.incarnation) == {("chat:a", "1"), ("chat:b", "2")}


def test_users_who_may_be_on_the_way_back(db: None) -> None:
    """For twelve seconds after leaving, or after a gateway's death, a user may be somewhere."""
    pair = ("chat:a", "1")
    b = Writer("b", here("chat:a", "c1", 1))
    b.write(left("chat:a", "c1", 1))
    assert queries.users_in([pair], but="another") == {pair}
    assert queries.members("chat:a") == {}
    PresentClient.objects.update(left_at=Now() - timedelta(seconds=13))
    assert queries.users_in([pair], but="another") == set()

    b.write(here("chat:a", "c1", 1))
    b.age(41)
    assert queries.users_in([pair], but="another") == {pair}
    b.age(43)
    assert queries.users_in([pair], but="another") == set()


def test_who_is_expected(db: None) -> None:
    """Who left lately is known as expected, but not who is gone for good, nor for long."""
    writer = Writer("a", *[here("chat:a", f"c{n}", n) for n in range(1, 4)])
    writer.write(left("chat:a", "c1", 1), gone("chat:a", "c2", 2))
    found = queries.attendance_of(["chat:a"])["chat:a"]
    assert (set(found.present), found.expected) == ({"c3"}, [ClientInfo("c1", "1")])
    assert queries.users_in([("chat:a", "2")], but="another") == set()
    PresentClient.objects.filter(client="c1").update(left_at=Now() - timedelta(seconds=13))
    assert queries.attendance_of(["chat:a"])["chat:a"].expected == []


def test_crowds(db: None) -> None:
    """A channel is a crowd by the clients of all living gateways together."""
    a = Writer("a", *[here("chat:a", f"a{n}", n) for n in range(3)], here("chat:b", "a1", 1))
    Writer("b", *[here("chat:a", f"b{n}", n) for n in range(3)])
    assert queries.crowded_channels(5) == {"chat:a"}
    assert queries.crowded_channels(6) == set()
    a.age(31)
    assert queries.crowded_channels(5) == set()


def test_what_administrators_ask(db: None) -> None:
    """Which channels and gateways there are; neither the dead nor those who left count."""
    a = Writer("a", here("chat:a", "c1", 1), here("chat:b", "c1", 1), here("chat:a", "c2", 1))
    b = Writer("b", here("chat:a", "c3", 1))
    Writer("c")
    a.write(left("chat:a", "c2", 1), left("chat:c", "c4", 4))
    assert queries.channel_sizes() == {"chat:a": 2, "chat:b": 1}
    assert [gateway[1:] for gateway in queries.gateways()] == [
        ("a", 1, 1, 2, 2),
        ("b", 1, 1, 1, 1),
        ("c", 0, 0, 0, 0),
    ]
    b.age(31)
    assert queries.channel_sizes() == {"chat:a": 1, "chat:b": 1}
    assert [gateway.name for gateway in queries.gateways()] == ["a", "c"]


def test_online_users(alice: User, bob: User, carol: User) -> None:
    """Users with a client somewhere, each once, whatever else tokens call a user."""
    Writer(
        "a",
        here("chat:a", "c1", alice.pk),
        here("chat:b", "c2", alice.pk),
        here("chat:a", "c3", f"{bob.pk}x"),
        here("chat:a", "c4", f"0{bob.pk}"),
        here("chat:a", "c5", 2**70),
        here("chat:a", "c6"),
    )
    carols = Writer("b", here("chat:b", "c7", carol.pk))
    assert set(User.objects.online()) == {alice, carol}
    assert set(queries.online_users()) == {alice, carol}
    assert set(queries.online_users("chat:a")) == {alice}
    assert User.objects.online().filter(username="alice").count() == 1
    assert (queries.num_online_users(), queries.num_online_users("chat:b")) == (2, 2)
    carols.age(31)
    assert set(User.objects.online()) == {alice}
    assert queries.num_online_users("chat:b") == 1


def test_who_is_in_a_room(alice: User, bob: User, lobby: ChatRoom) -> None:
    """A room knows the users who are in it."""
    writer = Writer("a", here("chat:lobby", "c1", alice.pk), here("chat:other", "c2", bob.pk))
    assert list(lobby.online()) == [alice]
    writer.write(left("chat:lobby", "c1", alice.pk))
    assert list(lobby.online()) == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda: queries.members("chat:a"),
        lambda: queries.attendance_of(["chat:a", "chat:b"]),
        lambda: queries.stats_of(["chat:a", "chat:b"]),
        lambda: queries.tallies_of(["chat:a", "chat:b"], but="x"),
        lambda: queries.users_in([("chat:a", "1"), ("chat:b", "2")], but="x"),
        lambda: queries.crowded_channels(200),
        lambda: list(User.objects.online()),
        queries.num_online_users,
    ],
)
def test_one_statement(db: None, ask: Ask) -> None:
    """Each question is one statement, however many channels it is about."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    assert len(asked) == 1


@given(st.integers(1, 10**18 - 1))
def test_an_account_is_found_by_its_id(number: int) -> None:
    """What a session's user is called stands for their account."""
    assert account_of(str(number)) == number


@given(st.text())
def test_any_user_id_can_be_stored(user: str) -> None:
    """A user's id is refused, or it is a text with an account or none, never an error."""
    account = account_of(user)
    assert account is None or str(account) == user


@pytest.mark.parametrize(
    "entry",
    [
        here("c" * 256, "c1"),
        here("chat:a", ""),
        here("chat:a", "c" * 37),
        here("chat:a", "c1", "u" * 256),
        here("chat:a", "c1", "u\0"),
        here("chat:a", "c1", "\ud800"),
        here("chat:a", "c1", 1, conn_info='"\0"'),
        here("chat:a", "c1", 1, chan_info='"\udfff"'),
    ],
)
def test_what_cannot_be_stored(entry: Entry) -> None:
    """It is refused where it comes from, not in the batch of all."""
    with pytest.raises(ValueError):
        entry.check()


def test_what_can_be_stored(db: None) -> None:
    """The longest of everything."""
    entry = Entry("c" * 255, ClientInfo("c" * 36, "ü" * 255, '"€"', '"\U0001f600"'), 0.5)
    entry.check()
    Writer("g", entry)
    assert queries.members("c" * 255) == {"c" * 36: entry.info}
