"""
Namespaces: a realtime feature is one class, as an admin page is a ModelAdmin.

An app declares its classes in `namespaces.py` and registers them there:

    @register
    class PollNamespace(Namespace):
        name = "poll"
        history_size = 100

        def can_subscribe(self, user, channel): ...

A channel is `<namespace>:<topic>`, ASCII, at most 255 characters. All hooks are synchronous and
may use the ORM; the gateway calls them in its database threads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError

from shared.broker.wire import Published
from shared.realtime.exceptions import ErrorCode, InvalidChannel, Refused, UnknownNamespace

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = [
    "Namespace",
    "Outcome",
    "anybody_may_come",
    "is_outcome",
    "named",
    "names",
    "namespace_for_clients",
    "namespace_of",
    "publishes_together",
    "register",
    "standing_channels",
    "topic_of",
]

_NAME = re.compile(r"[a-z][a-z0-9_-]{1,31}")
# At its ends is what `prefixes` reads.
_CHANNEL = re.compile(
    r"\$?([a-z][a-z0-9_-]{1,31}):[A-Za-z0-9_.@-]{1,200}(?:#[1-9][0-9]{0,17}(?:,[1-9][0-9]{0,17})*)?"
)
_CHANNEL_CHARACTERS = 255


class Outcome(NamedTuple):
    """What became of a client's publication."""

    published: Published
    # The same command was here before; only the sender needs to hear of it again.
    repeated: bool = False


def is_outcome(answer: object) -> TypeGuard[Outcome]:
    """Say whether a hook answers as it is to: apps' own code does, and may forget its `return`."""
    return isinstance(answer, Outcome) and isinstance(answer.published, Published)


class Namespace:
    """
    The rules of all channels with one name before the colon.

    Attributes:
        name: 2-32 characters of `[a-z0-9_-]`, a letter first.
        history_size: how many publications a stream keeps; 0 keeps none, and then a publication
            has no offset and reaches whoever is connected, at most once.
        history_ttl: how long a publication is kept at most; None for ever.
        standing: channels that exist from the first migration on.
        presence: whether it is kept who is in a channel, for whoever may hear it to ask.
        join_leave: whether those who hear a channel are told who comes and goes; with `presence`.
        server_can_publish: whether servers may publish here, and remove history, through the
            server API. It goes past `on_publish`, so not where a publication stands for a row.
        for_clients: False makes its channels the servers' own: for clients, and for servers that
            use the server API, there is no such namespace, whatever their tokens and keys say.
        lets_anonymous_in: whether the hooks are asked about clients that are nobody, with Django's
            AnonymousUser; elsewhere they may do nothing.
        private_channels: whether there are channels such as `$name:topic`, which nobody hears
            without a subscription token.
        user_limited_channels: whether there are channels such as `name:topic#7,12`, which the users
            with these ids may hear, and nobody else without a token.
    """

    name: str
    history_size: int = 0
    history_ttl: timedelta | None = None
    standing: Sequence[str] = ()
    server_can_publish: bool = False
    presence: bool = False
    join_leave: bool = False
    for_clients: bool = True
    lets_anonymous_in: bool = False
    private_channels: bool = False
    user_limited_channels: bool = False

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        """Say whether the user may hear this channel; nobody may unless the class says so."""
        return False

    def can_subscribe_each(
        self, wanted: Sequence[tuple[AbstractUser, str]]
    ) -> Sequence[bool | Exception]:
        """
        Answer `can_subscribe` for many who arrive together; an exception is that one's alone.

        Override it where `can_subscribe` asks the database: a query for each is most of what an
        arrival costs.
        """
        answers: list[bool | Exception] = []
        for user, channel in wanted:
            try:
                answers.append(self.can_subscribe(user, channel))
            except (DataError, IntegrityError) as error:
                answers.append(error)
            except (DatabaseError, InterfaceError):
                # A database that is away is away for all.
                raise
            except Exception as error:
                answers.append(error)
        return answers

    def server_side_channels(self, user: AbstractUser) -> Iterable[str]:
        """
        Return what a user hears without asking, over each connection of the Centrifuge protocol.

        Asked when the user connects. The user must be one who may hear these channels: otherwise
        the connection ends. Clients that are nobody are asked about where the class lets them in.
        """
        return ()

    def can_publish(self, user: AbstractUser, channel: str) -> bool:
        """Say whether the user's clients may publish; asked for each publication."""
        return False

    def on_publish(self, user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Outcome:
        """
        Turn a client's publication into domain rows and a publication.

        Raises:
            Refused: the data is not acceptable; nothing was stored.
        """
        raise Refused(ErrorCode.NOT_AVAILABLE, "This channel takes no messages from clients.")

    def on_publish_each(
        self, wanted: Sequence[tuple[AbstractUser, str, Mapping[str, Any]]]
    ) -> Sequence[Outcome | Refused]:
        """
        Do for many what `on_publish` does for each, in their order, with a few statements.

        Override it, and what comes together is stored so, where the namespace keeps history. It
        runs in one transaction: after an exception nothing of it is stored, and each is stored by
        `on_publish`. The answers may be fewer, but one at least; those after them come again.

        Args:
            wanted: user, channel and data of each, where `can_publish` has been asked.
        """
        raise NotImplementedError("publishes_together says whether it was overridden")

    def load(self, refs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """Return the data of thin publications by ref, in one query; a missing ref is redacted."""
        return {}


_registry: dict[str, Namespace] = {}


def register[N: type[Namespace]](cls: N) -> N:
    """Declare a namespace; usable as a class decorator. Two apps cannot share a name."""
    if not _NAME.fullmatch(cls.name):
        raise ValueError(f"{cls.name!r} is not a namespace name: use 2-32 of [a-z0-9_-].")
    other = _registry.get(cls.name)
    if other is not None and type(other) is not cls:
        raise ValueError(
            f"{cls.__qualname__} and {type(other).__qualname__} are both {cls.name!r}."
        )
    _registry[cls.name] = cls()
    return cls


def namespace_of(channel: str) -> Namespace:
    """
    Return the namespace that rules a channel.

    Raises:
        InvalidChannel: the name has another form.
        UnknownNamespace: no installed app declares it.
    """
    match = _CHANNEL.fullmatch(channel)
    if match is None or len(channel) > _CHANNEL_CHARACTERS:
        raise InvalidChannel(channel)
    try:
        return _registry[match[1]]
    except KeyError:
        raise UnknownNamespace(match[1]) from None


def namespace_for_clients(channel: str) -> Namespace:
    """
    Return the namespace of a channel that somebody outside names.

    Raises:
        InvalidChannel: the name has another form.
        UnknownNamespace: no installed app declares it, or it is not for clients.
    """
    namespace = namespace_of(channel)
    if not namespace.for_clients:
        raise UnknownNamespace(namespace.name)
    return namespace


def publishes_together(namespace: Namespace) -> bool:
    """Say whether a namespace can store many publications at once."""
    return type(namespace).on_publish_each is not Namespace.on_publish_each


def named(name: str) -> Namespace:
    """Return a registered namespace by its name."""
    return _registry[name]


def anybody_may_come() -> bool:
    """Say whether there is something to hear for clients that are nobody."""
    return any(namespace.lets_anonymous_in for namespace in _registry.values())


def topic_of(channel: str) -> str:
    """Return the part after the colon."""
    return channel.partition(":")[2]


def names() -> list[str]:
    """Return the registered namespaces' names; a closed set, fit for metric labels."""
    return sorted(_registry)


def standing_channels() -> list[str]:
    """Return the channels that exist from the first migration on."""
    return [channel for namespace in _registry.values() for channel in namespace.standing]
