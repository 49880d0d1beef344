"""
The hub: which connections hear which channel here, and where each channel stands.

A gateway serves a channel while somebody here is subscribed. Its position is kept once per
channel, never per connection: all members have got everything up to it, in order. A publication
is framed once for each protocol that is spoken, and the same text goes to every member.

A connection that is catching up is no member yet. It holds the channel: what is delivered
meanwhile is kept for it, and joins its catch-up when the log was read.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterator

from services.gateway import plain
from services.gateway.centrifuge import replies
from services.gateway.closecodes import UnsubscribeCode
from services.gateway.transport.fanout import FanOutGroup, Member
from services.gateway.transport.turns import Turns
from shared.broker.wire import FanOut, Published
from shared.presence.changes import PRESENCE
from shared.realtime.positions import Position
from shared.realtime.prefixes import name_of
from shared.telemetry import metrics

__all__ = ["Hold", "Hub", "LiveChannel", "Verdict"]

logger = logging.getLogger(__name__)

_EARLY_PUBLICATIONS = 1_000
# How many subscriptions end in one step of the event loop.
_LOST_AT_ONCE = 200

# Called when a member has been put out of a channel that lost its place.
type OnLost = Callable[[], None]


class Hold:
    """What a channel delivered while a connection was catching up."""

    def __init__(self, complete_from: Position | None) -> None:
        self.publications: list[Published] = []
        # Everything after this position is kept here. None while the channel has none itself:
        # what was delivered before it got one is in no hold.
        self.complete_from = complete_from
        # The channel lost its place meanwhile: nothing can be recovered across that.
        self.broken = False


class Verdict(enum.Enum):
    """What a live channel made of a publication."""

    DELIVERED = "delivered"
    REPEATED = "repeated"
    EARLY = "early"  # something before it is missing
    FOREIGN = "foreign"  # another epoch: the log must be asked


class LiveChannel:
    """
    One channel that somebody here listens to.

    Publications pass in the order of their offsets. One that comes early waits in a box until
    those before it have come by bell or were read from the log.
    """

    def __init__(self, channel: str, turns: Turns | None = None) -> None:
        """Take the channel's whole name, and the turns of all channels here if it has others."""
        self.channel = channel
        # What stands before the colon and after it, and the namespace's name, which metric labels
        # are: a private channel has one beside its prefix.
        self.prefix, _, self.topic = channel.partition(":")
        self.kind = name_of(channel)
        self._turns = turns
        # Those who speak the plain protocol.
        self.group = FanOutGroup(self.kind, turns)
        # Those who speak the Centrifuge protocol, and what to call where their place is lost; made
        # when the first one comes, as most channels have members of one kind alone.
        self._pushes: FanOutGroup | None = None
        self._on_lost: dict[Member, OnLost] = {}
        # Those that are being put out.
        self._lost: tuple[_Lost, ...] = ()
        # The stream's id, for head checks; None for a channel without history.
        self.stream_id: int | None = None
        # How far the group has got; None until the first read of the log.
        self.position: Position | None = None
        self._holds: set[Hold] = set()
        self._early: dict[int, Published] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nobody listens anymore."""
        return not self.group and not self._on_lost and not self._holds

    @property
    def is_waiting(self) -> bool:
        """Whether something came early and what stands before it has not come yet."""
        return bool(self._early)

    def hold(self) -> Hold:
        """Keep what is delivered from now on for a connection that is about to read the log."""
        hold = Hold(self.position)
        self._holds.add(hold)
        return hold

    def release(self, hold: Hold) -> None:
        """End a hold; its owner joins the group in the same step or gives up."""
        self._holds.discard(hold)

    def start(self, stream_id: int | None, position: Position) -> bool:
        """
        Set out from where the log stands.

        Whatever came before is judged now. False when it says that the log must be asked again:
        something before it is missing, or it has another epoch.
        """
        self.stream_id, self.position = stream_id, position
        for hold in self._holds:
            hold.complete_from = position
        early, self._early = sorted(self._early.items()), {}
        verdicts = [self.accept(publication) for _, publication in early]
        return not {Verdict.EARLY, Verdict.FOREIGN}.intersection(verdicts)

    def accept(self, publication: Published) -> Verdict:
        """Deliver a publication if it is the next one; else drop it or keep it for later."""
        if publication.offset == 0:
            self._deliver(publication)
            return Verdict.DELIVERED
        if self.position is None:
            self._keep(publication)
            return Verdict.REPEATED
        if publication.epoch != self.position.epoch:
            return Verdict.FOREIGN
        if publication.offset <= self.position.offset:
            return Verdict.REPEATED
        if publication.offset > self.position.offset + 1:
            self._keep(publication)
            return Verdict.EARLY
        self._pass(publication)
        while (following := self._early.pop(self.position.offset + 1, None)) is not None:
            self._pass(following)
        return Verdict.DELIVERED

    def join(self, member: Member, on_lost: OnLost | None = None) -> None:
        """Add a member that stands where the channel does; see `Hub.join`."""
        if on_lost is None:
            self.group.join(member)
            return
        if self._pushes is None:
            self._pushes = FanOutGroup(self.kind, self._turns)
        self._pushes.join(member)
        self._on_lost[member] = on_lost

    def leave(self, member: Member) -> None:
        """Remove a member; one that is not here changes nothing."""
        self.group.leave(member)
        if self._on_lost.pop(member, None) is not None and self._pushes is not None:
            self._pushes.leave(member)
            if not self._on_lost:
                self._pushes = None
        for lost in self._lost:
            lost.leave(member)

    def reset(self, stream_id: int | None, position: Position) -> None:
        """
        Go on from another place.

        Who speaks the plain protocol is told to read history again, and stays. The others' clients
        know how to come back: they are put out.
        """
        self.stream_id, self.position = stream_id, position
        self._early.clear()
        for hold in self._holds:
            hold.broken = True
        self.group.publish(plain.reset(self.channel, position))
        if self._pushes is not None:
            code = UnsubscribeCode.INSUFFICIENT_STATE
            push = replies.unsubscribed(self.channel, code, code.reason)
            # Whoever joins from now on is in another group, and hears what these must not.
            lost = _Lost(self._pushes, self._on_lost, push)
            self._pushes, self._on_lost = None, {}
            self._lost += (lost,)
            if self._put_out(lost):
                (self._turns or Turns()).add(lambda: self._put_out(lost))

    def _put_out(self, lost: _Lost) -> bool:
        is_more = lost.put_out()
        if not is_more:
            self._lost = tuple(each for each in self._lost if each is not lost)
        return is_more

    def _pass(self, publication: Published) -> None:
        self.position = Position(publication.epoch, publication.offset)
        self._deliver(publication)

    def _deliver(self, publication: Published) -> None:
        for hold in self._holds:
            hold.publications.append(publication)
        if self.group:
            self.group.publish(plain.publication(publication), publication.time)
        if self._pushes is not None:
            framed = replies.change if self.kind == PRESENCE else replies.publication
            self._pushes.publish(framed(publication), publication.time)

    def _keep(self, publication: Published) -> None:
        if len(self._early) < _EARLY_PUBLICATIONS:
            self._early[publication.offset] = publication


class _Lost:
    """The members of a group that is no longer published to."""

    def __init__(self, group: FanOutGroup, members: dict[Member, OnLost], push: str) -> None:
        """Take the group, its members with what to call for each, and what they are told."""
        self._group, self._members, self._push = group, members, push

    def leave(self, member: Member) -> None:
        """Forget a member that has gone by itself: its client may be back, and has lost nothing."""
        if self._members.pop(member, None) is not None:
            self._group.leave(member)

    def put_out(self) -> bool:
        """Put some of them out; return whether there are more."""
        for _ in range(min(_LOST_AT_ONCE, len(self._members))):
            member, on_lost = self._members.popitem()
            self._group.leave(member)
            # Before its client hears of it, which may come back at once.
            on_lost()
            member.send(self._push)
        return bool(self._members)


class Hub:
    """All channels that somebody here listens to."""

    def __init__(self, on_gap: Callable[[LiveChannel, Verdict], None]) -> None:
        """Take what is to be called when the log must be asked for a channel."""
        self._channels: dict[str, LiveChannel] = {}
        # The same by what stands before the colon, and by topic: a fan-out has topics, and most are
        # not served here.
        self._topics: dict[str, dict[str, LiveChannel]] = {}
        self._on_gap = on_gap
        self._turns = Turns()

    def __iter__(self) -> Iterator[LiveChannel]:
        return iter(list(self._channels.values()))

    def __len__(self) -> int:
        return len(self._channels)

    def get(self, channel: str) -> LiveChannel | None:
        """Return the channel if somebody here listens to it."""
        return self._channels.get(channel)

    def open(self, channel: str) -> LiveChannel:
        """Return the channel, serving it from now on; the caller holds it in the same step."""
        live = self._channels.get(channel)
        if live is None:
            live = self._channels[channel] = LiveChannel(channel, self._turns)
            self._topics.setdefault(live.prefix, {})[live.topic] = live
            metrics.CHANNELS.labels(kind=live.kind).inc()
        return live

    def join(self, live: LiveChannel, connection: Member, on_lost: OnLost | None = None) -> None:
        """
        Make a connection a member of a channel.

        Args:
            live: the channel.
            connection: it stands where the channel does.
            on_lost: makes it one that speaks the Centrifuge protocol; called in the event loop when
                the channel lost its place and its client was told so. It then calls `leave`.
        """
        live.join(connection, on_lost)
        metrics.SUBSCRIPTIONS.labels(kind=live.kind).inc()

    def leave(self, live: LiveChannel, connection: Member) -> None:
        """Take a member out, and forget the channel when it was the last."""
        live.leave(connection)
        metrics.SUBSCRIPTIONS.labels(kind=live.kind).dec()
        self.close_idle(live)

    def close_idle(self, live: LiveChannel) -> None:
        """Stop serving a channel that nobody listens to."""
        if live.is_idle and self._channels.get(live.channel) is live:
            del self._channels[live.channel]
            del self._topics[live.prefix][live.topic]
            metrics.CHANNELS.labels(kind=live.kind).dec()

    def accept(self, publication: Published) -> None:
        """Pass a publication to its channel, if somebody here listens to it."""
        live = self._channels.get(publication.channel)
        if live is not None:
            self._pass(live, publication)

    def accept_fan_out(self, fan_out: FanOut) -> None:
        """Pass on the publications of those channels that somebody here listens to."""
        if not (served := self._topics.get(fan_out.namespace)):
            return
        for index, topic in enumerate(fan_out.topics):
            if topic in served:
                self._pass(served[topic], fan_out.published(index))

    def _pass(self, live: LiveChannel, publication: Published) -> None:
        verdict = live.accept(publication)
        if verdict in (Verdict.EARLY, Verdict.FOREIGN):
            self._on_gap(live, verdict)
