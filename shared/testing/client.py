"""One client in the test's own process: what it may do, and what it hears."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.accounts.commands import call_as, publish_as
from shared.accounts.hearing import id_of, is_welcome
from shared.presence.clients import ClientInfo
from shared.realtime.exceptions import ErrorCode, RealtimeError, Refused
from shared.realtime.history import recover
from shared.realtime.namespaces import namespace_for_clients
from shared.realtime.positions import Position
from shared.realtime.refusals import as_refusal
from shared.testing.connection import BANNED, LOST, Connection, may_subscribe
from shared.testing.exceptions import Disconnected, MadeTooEarly, NeverSubscribed
from shared.testing.subscriptions import Resumed, Subscription, Unsubscribed, as_json

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser

__all__ = ["RealtimeClient"]

_MOST_SUBSCRIPTIONS = 128


class RealtimeClient:
    """
    A user's client, connected from the beginning.

        client = RealtimeClient(alice)
        client.subscribe("poll:lunch")
        do_vote(bob, "lunch", "yes")
        assert client.received("poll:lunch") == [{"type": "vote", ...}]

    It hears `user:<id>` and `announcements:all` without asking, as every client does.
    """

    def __init__(self, user: AbstractUser | AnonymousUser, *, session_key: str = "") -> None:
        """
        Connect.

        Args:
            user: who it is; the connection has the account as the database has it now. Or
                `AnonymousUser()`, who is let in where a namespace has `lets_anonymous_in`.
            session_key: of the session that it connects with, as `client.session.session_key` of
                Django's test client; signing out of that session disconnects it, for good.

        Raises:
            Disconnected: the user is suspended (4503) or was deleted (3501), is not signed in with
                the session, or is nobody and not let in (3501).
        """
        self._connection = Connection(user.pk, session_key)

    def __deepcopy__(self, memo: object) -> RealtimeClient:
        # Django copies for each test what `setUpTestData` makes.
        raise MadeTooEarly

    # -- commands --

    def subscribe(self, channel: str, *, since: Position | None = None) -> Resumed:
        """
        Hear a channel from now on, or since a position, as a page that has read its state does.

        Raises:
            CommandRefused: unknown (102, 107), not allowed (103), heard already (105), or the
                129th (106).
            Disconnected: the connection is closed, or the user is suspended (4503).
        """
        connection = self._connection
        user = connection.speaker()
        if not is_welcome(user):
            raise connection.close(BANNED)
        with self._answered():
            namespace_for_clients(channel)
            if channel in connection.subscriptions:
                raise Refused(ErrorCode.ALREADY_SUBSCRIBED, f"{channel} is heard already.")
            if len(connection.subscriptions) >= _MOST_SUBSCRIPTIONS:
                raise Refused(ErrorCode.LIMIT_EXCEEDED, "These are too many subscriptions.")
            if not may_subscribe(user, channel):
                raise Refused(ErrorCode.PERMISSION_DENIED, f"{channel} is not for {user}.")
        return connection.add(channel, since)

    def unsubscribe(self, channel: str) -> None:
        """Hear a channel no longer; one that is not heard changes nothing."""
        self._connection.speaker()
        self._connection.end(channel, Unsubscribed(0, "unsubscribe called"))

    def publish(self, channel: str, data: Mapping[str, Any]) -> None:
        """
        Say something in a channel, through its namespace's `on_publish`.

        Raises:
            CommandRefused: unknown (102, 107), not allowed (103), or what the namespace says.
            Disconnected: the connection is closed.
        """
        user, told = self._connection.speaker(), as_json(data)
        with self._answered():
            self._connection.find(channel)
            if not isinstance(told, dict):
                raise Refused(ErrorCode.BAD_REQUEST, "data is a JSON object")
            publish_as(user, channel, told, ClientInfo(self.name, id_of(user)))

    def rpc(self, method: str, data: Any = None) -> Any:
        """
        Call a method of an app's `rpc.py` and return its answer.

        Raises:
            CommandRefused: there is none of this name (104), or what the method says.
            Disconnected: the connection is closed.
        """
        user = self._connection.speaker()
        with self._answered():
            return json.loads(call_as(user, method, as_json(data)))

    # -- going and coming back --

    def drop(self) -> None:
        """Lose the connection, as in a tunnel; what was published before has been heard."""
        if self.disconnected is None:
            self._connection.close(LOST)

    def reconnect(self) -> dict[str, Resumed]:
        """
        Come back as clients do by themselves: hear the same channels, and recover what was missed.

        A client that is still connected is dropped first.

        Returns:
            By channel, whether all that was missed is there. One that is not for the user anymore
            is left out: see `unsubscribed`.

        Raises:
            Disconnected: the user is suspended (4503) or was deleted (3501), or the session with
                which it connected is not theirs anymore (3501).
        """
        self.drop()
        connection = self._connection
        connection.open()
        resumed = {}
        for channel, each in tuple(connection.subscriptions.items()):
            if each.is_server_side and channel not in connection.own_channels:
                # A server made it for the connection that is gone.
                connection.end(channel, Unsubscribed(0, "server subscription not found"))
            elif refusal := _refusal(connection.user, channel):
                connection.end(channel, Unsubscribed(int(refusal.code), refusal.message))
            else:
                resumed[channel] = each.resume(recover(channel, each.position))
        for channel in connection.own_channels:
            if channel not in connection.subscriptions:
                # One that had ended: clients forget where they were in it, and get it again.
                resumed[channel] = connection.add(channel, is_server_side=True)
        return resumed

    # -- what has come of it --

    @property
    def name(self) -> str:
        """The connection's id, as the server API knows it; another one after each reconnect."""
        return self._connection.name

    @property
    def disconnected(self) -> Disconnected | None:
        """How the connection ended; None while it is open."""
        self._connection.hear()
        return self._connection.over

    @property
    def subscriptions(self) -> list[str]:
        """The channels that it hears, server-side ones included; while away, those to resume."""
        self._connection.hear()
        return sorted(self._connection.subscriptions)

    def received(self, channel: str) -> list[dict[str, Any]]:
        """
        Return the data of all that it heard in a channel since it subscribed, in order.

        Raises:
            NeverSubscribed: so that a name that is misspelt does not look like silence.
        """
        return list(self._subscription(channel).received)

    def speakers(self, channel: str) -> list[str | None]:
        """
        Return the user's id, as text, of whose client said each of what `received` returns.

        None where clients are not told: of what a server said, and in channels with history, whose
        data says it. Raises as `received`.
        """
        return list(self._subscription(channel).speakers)

    def position(self, channel: str) -> Position:
        """Return the place of what it heard last. Raises as `received`."""
        return self._subscription(channel).position

    def losses(self, channel: str) -> int:
        """Return how often something may have been missed for good. Raises as `received`."""
        return self._subscription(channel).losses

    def unsubscribed(self, channel: str) -> Unsubscribed | None:
        """Return how its subscription ended; None while it lasts. Raises as `received`."""
        self._subscription(channel)
        ended = self._connection.ended.get(channel)
        return None if ended is None else ended[1]

    # -- inside --

    def _subscription(self, channel: str) -> Subscription:
        connection = self._connection
        connection.hear()
        if (subscription := connection.subscriptions.get(channel)) is not None:
            return subscription
        if channel in connection.ended:
            return connection.ended[channel][0]
        raise NeverSubscribed(channel, sorted({*connection.subscriptions, *connection.ended}))

    @contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            yield
        except RealtimeError as error:
            raise self._connection.answer(error) from error


def _refusal(user: AbstractUser, channel: str) -> Refused | None:
    """Return with what a user is not let in again; None where they are."""
    try:
        if may_subscribe(user, channel):
            return None
    except RealtimeError as error:
        return as_refusal(error)
    return Refused(ErrorCode.PERMISSION_DENIED, "permission denied")
