from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.gateway.hub import Hold, Hub, LiveChannel, Verdict
from shared.broker.wire import FanOut, Published
from shared.realtime.positions import Position

CHANNEL = "chat:lobby"
EPOCH = "e-1"


class Recorder:
    """A member that keeps what it is given."""

    wire = None

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    def send(self, frame: str) -> None:
        self.frames.append(json.loads(frame))

    def send_catch_up(self, frames: Sequence[str]) -> None:
        for frame in frames:
            self.send(frame)

    @property
    def offsets(self) -> list[int]:
        return [frame["offset"] for frame in self.frames]


def publication(offset: int, epoch: str = EPOCH) -> Published:
    return Published(CHANNEL, epoch, offset, f'{{"n":{offset}}}', 0.0)


def started(offset: int = 0) -> tuple[LiveChannel, Recorder]:
    live, member = LiveChannel(CHANNEL), Recorder()
    live.start(1, Position(EPOCH, offset))
    live.group.join(member)
    return live, member


class Delivery(RuleBasedStateMachine):
    """
    A channel whose bells are lost, doubled and overtake each other, and that is repaired now and
    then from the log. Members come and go.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live, self.first = started()
        self.head = 0
        # Each member with the offset it started after.
        self.members: list[tuple[Recorder, int]] = [(self.first, 0)]
        # Each hold with the position the channel had at its beginning.
        self.holds: list[tuple[Hold, int]] = []

    @property
    def offset(self) -> int:
        assert self.live.position is not None
        return self.live.position.offset

    @rule(count=st.integers(1, 5))
    def commit(self, count: int) -> None:
        self.head += count

    @precondition(lambda self: self.head > 0)
    @rule(data=st.data())
    def ring(self, data: st.DataObject) -> None:
        """Some bell of the past or the present arrives."""
        self.live.accept(publication(data.draw(st.integers(1, self.head))))

    @precondition(lambda self: self.head > 0)
    @rule()
    def ring_the_next(self) -> None:
        self.live.accept(publication(min(self.offset + 1, self.head)))

    @rule()
    def repair(self) -> None:
        """The log is read: everything up to its head is given in order."""
        for offset in range(self.offset + 1, self.head + 1):
            self.live.accept(publication(offset))
        assert self.offset == self.head
        assert not self.live.is_waiting

    @rule()
    def hold(self) -> None:
        self.holds.append((self.live.hold(), self.offset))

    @precondition(lambda self: self.holds)
    @rule()
    def release_and_join(self) -> None:
        """Who held the channel has seen all that passed since, and goes on with the group."""
        hold, begin = self.holds.pop(0)
        held = [each.offset for each in hold.publications]
        assert held == list(range(begin + 1, self.offset + 1))
        self.live.release(hold)
        member = Recorder()
        self.live.group.join(member)
        self.members.append((member, self.offset))

    @precondition(lambda self: len(self.members) > 1)
    @rule()
    def leave(self) -> None:
        member, begin = self.members.pop()
        self.live.group.leave(member)
        assert member.offsets == list(range(begin + 1, self.offset + 1))

    @invariant()
    def each_member_has_each_offset_once_in_order(self) -> None:
        for member, begin in self.members:
            assert member.offsets == list(range(begin + 1, self.offset + 1))

    @invariant()
    def nothing_is_invented(self) -> None:
        assert self.offset <= self.head


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_verdicts() -> None:
    """The caller learns what became of a publication, and so whether to read the log."""
    live, member = started(offset=5)
    assert live.accept(publication(5)) is Verdict.REPEATED
    assert live.accept(publication(7)) is Verdict.EARLY
    assert live.is_waiting
    assert live.accept(publication(6, epoch="other")) is Verdict.FOREIGN
    assert live.accept(publication(6)) is Verdict.DELIVERED
    assert not live.is_waiting
    assert member.offsets == [6, 7]


def test_before_the_first_read() -> None:
    """What comes before the log was read waits until it is known where the channel stands."""
    live = LiveChannel(CHANNEL)
    hold = live.hold()
    for offset in (3, 5, 4):
        live.accept(publication(offset))
    live.start(1, Position(EPOCH, 3))
    assert [each.offset for each in hold.publications] == [4, 5]
    assert live.position == Position(EPOCH, 5)


def test_reset_goes_on_elsewhere() -> None:
    """After a reset members are told, holds are broken, and the new numbering counts."""
    live, member = started(offset=9)
    hold = live.hold()
    live.accept(publication(12))
    live.reset(8, Position("e-2", 4))
    assert live.stream_id == 8
    assert hold.broken
    assert not live.is_waiting
    assert member.frames == [{"type": "reset", "channel": CHANNEL, "epoch": "e-2", "offset": 4}]
    assert live.accept(publication(10)) is Verdict.FOREIGN
    assert live.accept(publication(5, epoch="e-2")) is Verdict.DELIVERED


def test_without_history() -> None:
    """A publication without a place is passed on as it comes."""
    live, member = LiveChannel("live:ball"), Recorder()
    live.group.join(member)
    for _ in range(2):
        assert live.accept(Published("live:ball", "", 0, '{"x":1}', 0.0)) is Verdict.DELIVERED
    assert member.frames == [{"x": 1}] * 2


def test_early_publications_are_bounded() -> None:
    """However many come early, only so many are kept; the log has the others."""
    live, member = started()
    for offset in range(2, 5_000):
        live.accept(publication(offset))
    live.accept(publication(1))
    assert member.offsets == list(range(1, len(member.offsets) + 1))
    assert len(member.offsets) <= 1_001


def test_hub_forgets_idle_channels() -> None:
    """A channel is served while somebody holds it or is a member, and asked for when it gaps."""
    gaps: list[tuple[str, Verdict]] = []
    hub = Hub(lambda live, verdict: gaps.append((live.channel, verdict)))
    hub.accept(publication(1))
    assert len(hub) == 0
    live = hub.open(CHANNEL)
    hold = live.hold()
    live.start(1, Position(EPOCH, 0))
    hub.accept(publication(2))
    hub.accept(publication(1, epoch="other"))
    assert gaps == [(CHANNEL, Verdict.EARLY), (CHANNEL, Verdict.FOREIGN)]
    member = Recorder()
    hub.join(live, member)
    live.release(hold)
    hub.close_idle(live)
    assert hub.get(CHANNEL) is live
    hub.leave(live, member)
    assert hub.get(CHANNEL) is None


def fan_out(*places: tuple[str, int]) -> FanOut:
    """One text to some channels of `user`, each at its offset."""
    return FanOut(
        namespace="user",
        time=0.0,
        texts=['{"type":"notification"}'],
        topics=[topic for topic, _ in places],
        epochs=[EPOCH for _ in places],
        offsets=[offset for _, offset in places],
        members=[f'"id":{number}' for number, _ in enumerate(places)],
        chosen=[0 for _ in places],
    )


def test_one_text_to_many() -> None:
    """Each channel that is served here gets its own; the others are not even made."""
    gaps: list[tuple[str, Verdict]] = []
    hub = Hub(lambda live, verdict: gaps.append((live.channel, verdict)))
    members = {}
    for channel in ("user:2", "user:4", "chat:3"):
        live = hub.open(channel)
        live.start(1, Position(EPOCH, 6))
        hub.join(live, member := Recorder())
        members[channel] = member
    hub.accept_fan_out(fan_out(("1", 7), ("2", 7), ("3", 7), ("4", 7)))
    assert {channel: member.frames for channel, member in members.items()} == {
        "user:2": [{"id": 1, "type": "notification", "epoch": EPOCH, "offset": 7}],
        "user:4": [{"id": 3, "type": "notification", "epoch": EPOCH, "offset": 7}],
        "chat:3": [],
    }
    # A repeat, a hole, and a channel that nobody serves anymore.
    last = hub.get("user:4")
    assert last is not None
    hub.leave(last, members["user:4"])
    hub.accept_fan_out(fan_out(("2", 7), ("2", 9), ("4", 8)))
    assert members["user:2"].offsets == members["user:4"].offsets == [7]
    assert gaps == [("user:2", Verdict.EARLY)]


def test_private_channel_is_another_one() -> None:
    """What is for the channel without its prefix is not for it, though they count as one kind."""
    hub = Hub(lambda live, verdict: None)
    private, member = hub.open("$user:2"), Recorder()
    private.start(1, Position(EPOCH, 6))
    hub.join(private, member)
    assert private.kind == "user"
    hub.accept_fan_out(fan_out(("2", 7)))
    assert member.frames == []
    hub.accept(Published("$user:2", EPOCH, 7, '{"n":1}', 0.0))
    assert member.offsets == [7]
    hub.leave(private, member)
    assert len(hub) == 0


def test_one_text_to_nobody_here() -> None:
    """Where no channel of its namespace is served, it is dropped as a whole."""
    hub = Hub(lambda live, verdict: None)
    hub.accept_fan_out(fan_out(("1", 1)))
    assert len(hub) == 0


def test_hold_of_a_channel_that_sets_out() -> None:
    """A hold that began before the channel had a position is complete from where it set out."""
    live = LiveChannel(CHANNEL)
    early = live.hold()
    assert early.complete_from is None
    live.accept(publication(6))
    live.start(1, Position(EPOCH, 7))
    assert early.complete_from == Position(EPOCH, 7)
    assert early.publications == []
    assert live.hold().complete_from == Position(EPOCH, 7)


def test_setting_out_before_something_early() -> None:
    """What came early and is not next yet leaves the channel waiting, for a repair to find."""
    live = LiveChannel(CHANNEL)
    live.hold()
    live.accept(publication(9))
    live.start(1, Position(EPOCH, 5))
    assert live.is_waiting


async def test_who_has_left_is_not_put_out() -> None:
    """Of many that lost their place, one that is not there anymore has lost nothing, also back."""
    hub = Hub(lambda live, verdict: None)
    live = hub.open(CHANNEL)
    live.start(1, Position(EPOCH, 5))
    members = [Recorder() for _ in range(500)]
    lost: list[Recorder] = []

    def put_out(member: Recorder) -> None:
        lost.append(member)
        hub.leave(live, member)

    for member in members:
        hub.join(live, member, partial(put_out, member))
    live.reset(1, Position("another", 0))
    assert 0 < len(lost) < 300
    gone, back = [member for member in members if member not in lost][:2]
    for member in (gone, back):
        hub.leave(live, member)
    again = hub.open(CHANNEL)
    if again.position is None:
        again.start(1, Position("another", 0))
    hub.join(again, back, lambda: lost.append(back))
    async with asyncio.timeout(5):
        while len(lost) < 498:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)
    again.accept(publication(1, "another"))
    assert gone not in lost
    assert back not in lost
    assert gone.frames == []
    assert [frame["push"]["pub"]["offset"] for frame in back.frames] == [1]
    assert not live._lost
