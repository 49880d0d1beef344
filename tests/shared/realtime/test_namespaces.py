from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError

from shared.realtime import namespaces
from shared.realtime.exceptions import ErrorCode, InvalidChannel, Refused, UnknownNamespace
from shared.realtime.namespaces import (
    Namespace,
    Outcome,
    namespace_for_clients,
    namespace_of,
    publishes_together,
    register,
    topic_of,
)


def make(called: str) -> type[Namespace]:
    return type("Made", (Namespace,), {"name": called})


def test_installed_apps_are_found() -> None:
    """The namespaces of all installed apps are there, a team's own app among them."""
    assert {"chat", "announcements", "poll"} <= set(namespaces.names())


def test_two_classes_cannot_share_a_name() -> None:
    """The second of two classes with one name is refused, and the first stays."""
    first = register(make("votes"))
    with pytest.raises(ValueError, match="votes"):
        register(make("votes"))
    assert type(namespace_of("votes:x")) is first


def test_same_class_twice() -> None:
    """Importing a module again is no conflict."""
    cls = make("votes")
    assert register(register(cls)) is cls


@pytest.mark.parametrize(
    "name", ["", "a", "A1", "1a", "a b", "a:b", "ab\n", "größe", "a" * 33, "-a", "a.b", "*"]
)
def test_invalid_namespace_name(name: str) -> None:
    """A name that could not stand before a colon is refused when it is declared."""
    with pytest.raises(ValueError, match="not a namespace name"):
        register(make(name))


@pytest.mark.parametrize(
    "channel",
    [
        "",
        "notes",
        "notes:",
        ":x",
        "notes:x\n",
        "\nnotes:x",
        "notes:a b",
        "notes:a/b",
        "notes:a\0",
        "notes:a:b",
        "notes:ü",
        "notes:٣",
        "Notes:x",
        "notes:" + "x" * 201,
        "notes:" + "x" * 250,
        "notes:a*b",
        "notes:a#b",
    ],
)
def test_invalid_channel(channel: str) -> None:
    """A channel of another form is refused with a sentence that shows it, and no query."""
    with pytest.raises(InvalidChannel) as caught:
        namespace_of(channel)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_unknown_namespace() -> None:
    """A namespace that nobody declares is refused by name."""
    with pytest.raises(UnknownNamespace, match="'nobodys'"):
        namespace_of("nobodys:x")


def test_longest_channel() -> None:
    """The longest name that is valid fits the column that keeps it."""
    register(make("a" * 32))
    channel = "a" * 32 + ":" + "x" * 200
    assert namespace_of(channel).name == "a" * 32
    assert len(channel) <= 255
    assert topic_of(channel) == "x" * 200


def test_nothing_is_allowed_unless_the_class_says_so() -> None:
    """A namespace without rules lets nobody hear, nobody speak, and takes no message."""
    namespace, nobody = Namespace(), AnonymousUser()
    assert not namespace.can_subscribe(nobody, "x:y")
    assert not namespace.can_publish(nobody, "x:y")
    with pytest.raises(Refused) as caught:
        namespace.on_publish(nobody, "x:y", {})
    assert caught.value.code is ErrorCode.NOT_AVAILABLE


def test_what_fails_for_one_of_many_is_that_ones() -> None:
    """A namespace that asks for each is asked for all, whatever happens with one of them."""

    class Odd(Namespace):
        name = "odd"

        def can_subscribe(self, user: object, channel: str) -> bool:
            return 10 // len(topic_of(channel).strip("-")) > 2

    nobody = AnonymousUser()
    answers = Odd().can_subscribe_each([(nobody, f"odd:{topic}") for topic in ("a", "-", "abcd")])
    assert answers[0::2] == [True, False]
    assert isinstance(answers[1], ZeroDivisionError)


def test_database_that_is_away_is_nobodys_fault() -> None:
    """It is no answer to one of many: whoever asked for all decides what they are told."""

    class Away(Namespace):
        name = "away"

        def can_subscribe(self, user: object, channel: str) -> bool:
            raise OperationalError("the connection is lost")

    with pytest.raises(OperationalError):
        Away().can_subscribe_each([(AnonymousUser(), "away:a")])


@pytest.mark.parametrize("channel", ["hidden:x", "$hidden:x", "hidden:x#7"])
def test_namespace_that_is_not_for_clients(channel: str) -> None:
    """For whoever is outside it is not there, whatever the rest of the name; servers have it."""

    @register
    class Hidden(Namespace):
        name = "hidden"
        for_clients = False

    with pytest.raises(UnknownNamespace, match="'hidden'"):
        namespace_for_clients(channel)
    assert type(namespace_of(channel)) is Hidden
    assert namespace_for_clients("notes:x") is namespace_of("notes:x")


@pytest.mark.parametrize("channel", ["controls:all", "revocations:all", "presence:x"])
def test_channels_of_the_servers_own(channel: str) -> None:
    """Sessions' digests and everybody's coming and going are among what is said there."""
    with pytest.raises(UnknownNamespace):
        namespace_for_clients(channel)


def test_who_can_store_many_at_once() -> None:
    """Whoever says how, and nobody has to say so twice."""

    class Together(Namespace):
        name = "together"

        def on_publish_each(self, wanted: object) -> list[Outcome | Refused]:
            return []

    assert publishes_together(Together())
    assert not publishes_together(Namespace())
