"""
What one client may do next: the state of its connection, its channels and its limits.

Pure: no socket, no database, no clock of its own. `begin` judges a command and says what is to be
done for it; the shell does that and comes back with the outcome. What is refused here costs
nobody a query.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from services.gateway.centrifuge.commands import (
    Command,
    Connect,
    History,
    Pong,
    Presence,
    PresenceStats,
    Publish,
    Refresh,
    Request,
    Rpc,
    Send,
    SubRefresh,
    Subscribe,
    Unsubscribe,
)
from services.gateway.centrifuge.steps import (
    End,
    Heard,
    Step,
    Work,
    not_available,
    permission_denied,
    refused,
)
from services.gateway.closecodes import CloseCode
from services.gateway.limits import RateLimit
from shared.realtime.exceptions import (
    ErrorCode,
    RealtimeError,
    Refused,
)
from shared.realtime.prefixes import is_private
from shared.realtime.refusals import as_refusal

__all__ = [
    "MOST_HISTORY",
    "MOST_SUBSCRIPTIONS",
    "Connection",
    "Subscription",
]

MOST_SUBSCRIPTIONS = 128
# What a client may ask for at once in history.
MOST_HISTORY = 300
# Commands that say nothing to anybody: a client that comes back sends one for each of its channels.
_COMMANDS_PER_SECOND = 50.0
_COMMANDS_BURST = 2.0 * MOST_SUBSCRIPTIONS
# What a client offers and may go without; no answer means no.
_DELTAS = {"", "fossil"}


class State(enum.Enum):
    """How far a connection is."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    ENDED = "ended"


class Subscription(NamedTuple):
    """
    A channel that a client hears, or is about to.

    Attributes:
        is_server_side: made for it, not asked for.
        info: what others there are told of it besides, as JSON text; None is nothing.
        is_granted: a server has let it in, whatever the user's permissions are.
        is_hidden: others there are not told of it.
    """

    is_server_side: bool = False
    info: str | None = None
    is_granted: bool = False
    is_hidden: bool = False


class Connection:
    """One client's, from its first command to its end."""

    def __init__(
        self,
        now: float,
        find_namespace: Callable[[str], object],
        *,
        is_heard: Callable[[str], bool],
    ) -> None:
        """
        Take what the rules need.

        Args:
            now: by any clock that goes on; the same as in `begin`.
            find_namespace: raises InvalidChannel or UnknownNamespace.
            is_heard: whether the client hears a channel by now, and is not only about to.
        """
        self.state = State.NEW
        self.subscriptions: dict[str, Subscription] = {}
        self._find_namespace = find_namespace
        self._is_heard = is_heard
        self._messages = RateLimit(now)
        self._commands = RateLimit(now, _COMMANDS_PER_SECOND, _COMMANDS_BURST)

    # -- commands --

    def begin(self, command: Command, now: float) -> Step:
        """Judge a command; `Work` is to be done in the order in which it was returned."""
        if self.state is State.ENDED:
            return End(CloseCode.BAD_REQUEST)
        request = command.request
        if isinstance(request, Pong):
            return Heard() if self.state is State.CONNECTED else End(CloseCode.BAD_REQUEST)
        if command.method == "connect":
            return self._begin_connect(command)
        if self.state is not State.CONNECTED:
            return End(CloseCode.BAD_REQUEST)
        if (refusal := self._over_limit(command, now)) is not None:
            return refusal
        if isinstance(request, Refused):
            return refused(command.id, request)
        try:
            return self._judge(command.id, request)
        except RealtimeError as error:
            return refused(command.id, as_refusal(error))

    def _begin_connect(self, command: Command) -> Step:
        if self.state is not State.NEW or isinstance(command.request, Refused):
            return End(CloseCode.BAD_REQUEST)
        assert isinstance(command.request, Connect)
        for channel, subscribe in command.request.subs.items():
            if subscribe.type:
                return End(CloseCode.BAD_REQUEST)
            try:
                self._find_namespace(channel)
            except RealtimeError:
                return End(CloseCode.BAD_REQUEST)
        if len(command.request.subs) > MOST_SUBSCRIPTIONS:
            return End(CloseCode.CHANNEL_LIMIT)
        self.state = State.CONNECTING
        return Work(command.id, command.request)

    def _over_limit(self, command: Command, now: float) -> Step | None:
        is_message = command.method in {"publish", "rpc", "send"}
        limit = self._messages if is_message else self._commands
        wait = limit.take(now)
        if not wait:
            return None
        if limit.exhausted(now):
            return End(CloseCode.TOO_MANY_REQUESTS)
        words = f"too many requests: wait {wait:.1f} s"
        return refused(command.id, Refused(ErrorCode.TOO_MANY_REQUESTS, words))

    @property
    def rest(self) -> float:
        """For how many seconds the next message is left where it is, after refusals."""
        return max(self._messages.rest, self._commands.rest)

    def _judge(self, number: int, request: Request) -> Step:
        """
        Decide about a command of an open connection.

        Raises:
            RealtimeError: it is turned down.
        """
        match request:
            case Subscribe():
                return self._judge_subscribe(number, request)
            case Publish():
                self._find(request.channel)
                if request.type:
                    raise not_available()
                if not isinstance(request.data, dict):
                    raise Refused(ErrorCode.BAD_REQUEST, "data is a JSON object")
            case History():
                self._find(request.channel)
                if request.reverse and request.since is not None and request.since.offset == 0:
                    raise Refused(ErrorCode.BAD_REQUEST, "nothing stands before offset 0")
                if not 0 <= request.limit <= MOST_HISTORY:
                    request.limit = MOST_HISTORY
            case Presence() | PresenceStats():
                self._find(request.channel)
            case Rpc() | Refresh() | Unsubscribe():
                # Of whatever channel, also of one that it does not hear.
                pass
            case SubRefresh():
                if request.type:
                    raise not_available()
            case Send():
                return End(CloseCode.NOT_AVAILABLE)
        return Work(number, request)

    def _find(self, channel: str) -> None:
        """
        Look a channel up that somebody wants to speak in or read.

        Raises:
            RealtimeError: it has no rules, or is private, and not heard.
        """
        self._find_namespace(channel)
        if is_private(channel) and not self._is_heard(channel):
            raise permission_denied()

    def _judge_subscribe(self, number: int, request: Subscribe) -> Step:
        if request.delta not in _DELTAS:
            return End(CloseCode.BAD_REQUEST)
        if request.type:
            raise not_available()
        self._find_namespace(request.channel)
        if request.channel in self.subscriptions:
            raise Refused(ErrorCode.ALREADY_SUBSCRIBED, "already subscribed")
        if len(self.subscriptions) >= MOST_SUBSCRIPTIONS:
            raise Refused(ErrorCode.LIMIT_EXCEEDED, "limit exceeded")
        if request.tf is not None:
            raise Refused(ErrorCode.BAD_REQUEST, "tf is not spoken here")
        if is_private(request.channel) and not request.token:
            raise permission_denied()
        # From now on, so that a second one meets it while the first is under way.
        self.subscriptions[request.channel] = Subscription()
        return Work(number, request)

    # -- outcomes --

    @property
    def is_connecting(self) -> bool:
        """Whether the client has said who it is, and is not in yet."""
        return self.state is State.CONNECTING

    def connected(self) -> None:
        """Be told that the client is in."""
        if self.state is State.CONNECTING:
            self.state = State.CONNECTED

    def subscribe_server_side(
        self,
        channel: str,
        info: str | None = None,
        *,
        is_granted: bool = False,
        is_hidden: bool = False,
    ) -> None:
        """Note a channel that is heard without having been asked for; see `Subscription`."""
        self.subscriptions[channel] = Subscription(True, info, is_granted, is_hidden)

    def describe(
        self, channel: str, info: str | None, *, is_granted: bool, is_hidden: bool
    ) -> None:
        """Note what a token says of a channel that is about to be heard."""
        self.subscriptions[channel] = Subscription(False, info, is_granted, is_hidden)

    def forget(self, channel: str) -> bool:
        """Note that a channel is not heard anymore, or will not be; return whether it was."""
        return self.subscriptions.pop(channel, None) is not None

    def end(self) -> None:
        """Be told that nothing may come anymore."""
        self.state = State.ENDED
