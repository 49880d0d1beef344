"""A client's connection, as far as there is one: who is at its end, what it hears, how it ends."""

from __future__ import annotations

import json
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.models import AnonymousUser

from shared.accounts.commands import Suspended
from shared.accounts.hearing import id_of, may_hear_each, own_channels
from shared.accounts.keys import digest_of
from shared.accounts.models import User
from shared.accounts.namespaces import REVOCATIONS
from shared.accounts.sessions import users_of
from shared.broker.wire import Published
from shared.realtime import controls
from shared.realtime.controls import (
    CONTROLS,
    Control,
    Disconnect,
    Refresh,
    Subscribe,
    Unsubscribe,
)
from shared.realtime.exceptions import ErrorCode, RealtimeError, Refused
from shared.realtime.history import recover
from shared.realtime.namespaces import anybody_may_come, namespace_for_clients
from shared.realtime.positions import Position
from shared.realtime.prefixes import is_private
from shared.testing.exceptions import CommandRefused, Disconnected
from shared.testing.journal import Journal
from shared.testing.subscriptions import Resumed, Subscription, Unsubscribed

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AbstractUser

__all__ = ["BANNED", "LOST", "Connection", "may_subscribe"]

# How connections end, as the gateway says it.
LOST = (1006, "the connection was lost")
BANNED = (4503, "account suspended")
_EXPIRED = (3005, "connection expired")
_BAD_REQUEST = (3501, "bad request")
_NOT_ALLOWED = (3507, "permission denied")
# And subscriptions.
_UNSUBSCRIBED = (2000, "server unsubscribe")


class Connection:
    """
    One client's; it may be opened again after its end, and goes on where it was.

    Attributes:
        name: its id; another one each time it is opened.
        user: who it is, as the database had them when it was opened, or nobody.
        own_channels: what it hears without asking, as namespaces said when it was opened.
        subscriptions: what it hears, or will resume, by channel.
        ended: subscriptions that are over, with what they received, and how they ended.
        over: how it ended; None while it is open.
    """

    def __init__(self, user_id: int | None, session_key: str) -> None:
        """
        Open it.

        Args:
            user_id: of the account; None for nobody's.
            session_key: of the session that it is opened with; "" for none.

        Raises:
            Disconnected: it is refused.
        """
        self._user_id, self._session_key = user_id, session_key
        # What controls know the session by.
        self._session = digest_of(session_key) if session_key else ""
        self.subscriptions: dict[str, Subscription] = {}
        self.ended: dict[str, tuple[Subscription, Unsubscribed]] = {}
        self.over: Disconnected | None = None
        self.open()
        for channel in self.own_channels:
            self.add(channel, is_server_side=True)

    def open(self) -> None:
        """
        Let the user in, again or for the first time.

        Raises:
            Disconnected: they are suspended or deleted, or the session has ended.
        """
        # First, so that no revocation falls between.
        journal = Journal()
        user = self._identify()
        self.own_channels = own_channels(user)
        if not all(may_subscribe(user, channel) for channel in self.own_channels):
            raise self.close(_NOT_ALLOWED)
        self.name = str(uuid.uuid4())
        self.user, self._journal, self.over = user, journal, None

    def close(self, how: tuple[int, str]) -> Disconnected:
        """End it; from now on nothing is heard."""
        self.over = Disconnected(*how)
        return self.over

    def add(
        self, channel: str, since: Position | None = None, *, is_server_side: bool = False
    ) -> Resumed:
        """Hear a channel from now on, or since a position."""
        self.ended.pop(channel, None)
        recovery = recover(channel, since)
        subscription = Subscription(
            channel, recovery.head if since is None else since, is_server_side
        )
        self.subscriptions[channel] = subscription
        if since is None:
            return Resumed(channel, recovered=False, missed=[], position=recovery.head)
        return subscription.resume(recovery)

    def end(self, channel: str, how: Unsubscribed) -> None:
        """End a subscription, if there is one; what it received stays."""
        if (subscription := self.subscriptions.pop(channel, None)) is not None:
            self.ended[channel] = subscription, how

    def hear(self) -> None:
        """Take what was published since this was called last."""
        coming = deque(self._journal.take())
        while coming and self.over is None:
            published = coming.popleft()
            if published.channel == REVOCATIONS:
                self._heed(json.loads(published.data))
            elif published.channel == CONTROLS:
                self._obey(controls.decode(published.data), coming)
            elif (subscription := self.subscriptions.get(published.channel)) is not None:
                subscription.take(published)

    def speaker(self) -> AbstractUser:
        """
        Return who is at its end, after all that has come meanwhile.

        Raises:
            Disconnected: it is over.
        """
        self.hear()
        if (over := self.over) is not None:
            # A fresh one, as each raise adds to an exception's traceback.
            raise Disconnected(over.code, over.reason)
        return self.user

    def find(self, channel: str) -> None:
        """
        Look a channel up that its client wants to speak in.

        Raises:
            RealtimeError: it has no rules, or is private, and not heard.
        """
        namespace_for_clients(channel)
        if is_private(channel) and channel not in self.subscriptions:
            raise Refused(ErrorCode.PERMISSION_DENIED, "permission denied")

    def answer(self, error: RealtimeError) -> CommandRefused:
        """Return what its client is told of an error; who is suspended goes."""
        if isinstance(error, Suspended):
            self.close(BANNED)
        return CommandRefused.of(error)

    def _identify(self) -> AbstractUser:
        """Find out who it is, as the gateway does: with a session, whoever that is now."""
        key, user_id = self._session_key, self._user_id
        user: AbstractBaseUser | None = None
        if key:
            user = users_of([key]).get(key)
        elif user_id is not None:
            user = User.objects.filter(pk=user_id).first()
        is_nobody = user is None if key else user_id is None
        if is_nobody and anybody_may_come():
            # Hooks say that they take accounts; those that let nobody in never meet it.
            return cast("AbstractUser", AnonymousUser())
        if not isinstance(user, User) or user.pk != user_id:
            raise self.close(_BAD_REQUEST)
        if not user.is_active:
            raise self.close(BANNED)
        return user

    def _heed(self, revocation: Mapping[str, Any]) -> None:
        who = self.user.pk
        if who is None:
            # All of it is about accounts.
            return
        match revocation:
            case {"type": "recheck"}:
                if who in revocation.get("users", [who]):
                    self._recheck()
            case {"user": user, "code": code, "reason": reason} if user == who:
                self.close(BANNED if code == BANNED[0] else (code, reason))

    def _recheck(self) -> None:
        """End what the user may not hear anymore."""
        user = User.objects.filter(pk=self.user.pk, is_active=True).first()
        if user is None:
            self.close(BANNED)
            return
        self.user = user
        for channel, each in tuple(self.subscriptions.items()):
            # What a server has made is its own business.
            is_made = each.is_server_side and channel not in self.own_channels
            if is_made:
                continue
            try:
                is_lost = not may_subscribe(user, channel)
            except Refused:
                is_lost = True
            if is_lost:
                self.end(channel, Unsubscribed(*_UNSUBSCRIBED))

    def _obey(self, control: Control, coming: Iterable[Published]) -> None:
        if not control.meets(id_of(self.user), self.name, self._session):
            return
        match control:
            case Disconnect(code=code, reason=reason):
                self.close((code, reason))
            case Unsubscribe(channel=channel, code=code, reason=reason):
                self.end(channel, Unsubscribed(code, reason))
            case Subscribe(channel=channel) if channel not in self.subscriptions:
                since = control.recover_since
                place = None if since is None else Position(since.epoch, since.offset)
                self.add(channel, place, is_server_side=True)
                later = [each for each in coming if each.channel == channel and each.offset]
                if place is None and later:
                    # From the control's own place on, which the log has passed already.
                    before = Position(later[0].epoch, later[0].offset - 1)
                    self.subscriptions[channel].position = before
            case Refresh(expired=True):
                self.close(_EXPIRED)


def may_subscribe(user: AbstractUser, channel: str) -> bool:
    """Ask as the gateway does, of whom many may arrive together."""
    [answer] = may_hear_each([(user, channel)])
    if isinstance(answer, Exception):
        raise answer
    # A private channel needs a token, and clients of the kit show none.
    return bool(answer) and not is_private(channel)
