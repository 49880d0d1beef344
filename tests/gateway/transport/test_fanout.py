"""Groups and wires, over socket pairs."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections.abc import Callable, Iterator

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.gateway.transport import fanout, rounds, turns
from services.gateway.transport.fanout import FanOutGroup
from services.gateway.transport.frames import text_frame
from tests.gateway.transport.pairs import PairWire, Script

Make = Callable[..., PairWire]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[PairWire] = []

    def one(*groups: FanOutGroup, **how: int) -> PairWire:
        made.append(PairWire(asyncio.get_running_loop(), **how))
        for group in groups:
            group.join(made[-1])
        return made[-1]

    yield one
    for wire in made:
        wire.close()


@pytest.fixture
def group() -> FanOutGroup:
    return FanOutGroup("test")


@pytest.fixture
def never_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have even the smallest group wait for the next turn."""
    monkeypatch.setattr(fanout, "_FEW", -1)


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a round write to one socket in each turn of the event loop."""
    monkeypatch.setattr(turns, "_SECONDS", 0)
    monkeypatch.setattr(rounds, "_SLICE", 1)
    monkeypatch.setattr(rounds, "_LATE_SLICE", 1)


async def settle(*wires: PairWire) -> None:
    """Read at all other ends until nothing comes anymore."""
    quiet = 0
    while quiet < 5:
        before = sum(len(wire.received) for wire in wires)
        await asyncio.sleep(0)
        for wire in wires:
            wire.read()
        quiet = quiet + 1 if sum(len(wire.received) for wire in wires) == before else 0


def texts(*payloads: str) -> bytes:
    return b"".join(text_frame(payload.encode()) for payload in payloads)


def fill(wire: PairWire) -> bytes:
    """Write until the socket takes no more and something waits; return what was written."""
    wrote = b""
    while not wire.unsent():
        wire.send(text_frame(b"f" * 500))
        wrote += text_frame(b"f" * 500)
    return wrote


# -- one thing at a time --


async def test_small_group_is_written_to_at_once(make: Make, group: FanOutGroup) -> None:
    """Nothing is won by waiting for company."""
    first, second = make(group), make(group)
    group.publish("1")
    first.read()
    second.read()
    assert first.received == second.received == texts("1")
    assert not group.has_waiting


async def test_many_busy_members_make_no_small_group(make: Make, group: FanOutGroup) -> None:
    """Who counts is every member, not only those that are idle now."""
    wires = [make(group) for _ in range(fanout._FEW + 1)]
    for wire in wires:
        wire.make_busy()
    group.publish("1")
    assert group.has_waiting
    await settle(*wires)
    assert all(wire.received == texts("1") for wire in wires)


async def test_frames_of_one_turn_go_out_together(make: Make, group: FanOutGroup) -> None:
    """A burst costs each socket one write."""
    wires = [make(group) for _ in range(fanout._FEW + 1)]
    for number in range(5):
        group.publish(str(number))
    assert group.has_waiting
    await asyncio.sleep(0)
    wires[0].read()
    assert wires[0].received == texts(*"01234")
    await settle(*wires)
    assert all(wire.received == texts(*"01234") for wire in wires)


@pytest.mark.usefixtures("never_at_once")
async def test_send_comes_after_what_was_published_before(make: Make, group: FanOutGroup) -> None:
    """A frame for one connection does not overtake frames for everybody, nor they it."""
    ours, other = make(group), make(group)
    group.publish("1")
    ours.send(texts("alone"))
    group.publish("2")
    await settle(ours, other)
    assert ours.received == texts("1", "alone", "2")
    assert other.received == texts("1", "2")
    assert not ours.is_busy
    assert not ours.ahead


@pytest.mark.usefixtures("never_at_once")
async def test_leaving_brings_what_was_published_before(make: Make, group: FanOutGroup) -> None:
    """Who leaves has everything up to then and nothing after, and may come back."""
    ours, other = make(group), make(group)
    group.publish("1")
    group.leave(ours)
    group.publish("2")
    group.join(ours)
    group.publish("3")
    await settle(ours, other)
    assert ours.received == texts("1", "3")
    assert other.received == texts("1", "2", "3")


@pytest.mark.usefixtures("never_at_once")
async def test_leaving_ends_being_ahead(make: Make, group: FanOutGroup) -> None:
    """What kept a wire from being idle goes with the group that did."""
    second = FanOutGroup("test")
    ours = make(group, second)
    group.publish("1")
    ours.catch_up()
    ours._drain()
    assert ours.is_busy
    assert ours.ahead == 1
    group.leave(ours)
    assert not ours.is_busy
    assert not ours.ahead
    second.publish("2")
    await settle(ours)
    assert ours.received == texts("1", "2")


async def test_joining_twice_is_joining_once(make: Make, group: FanOutGroup) -> None:
    """Each frame comes once, and leaving once is enough."""
    ours = make(group)
    group.join(ours)
    assert len(group) == 1
    group.publish("1")
    group.leave(ours)
    group.publish("2")
    await settle(ours)
    assert ours.received == texts("1")
    assert len(group) == 0


async def test_cut_wire_joins_nothing(make: Make, group: FanOutGroup) -> None:
    """An application that subscribes late must not revive a connection that is closed."""
    ours = make()
    ours.cut()
    group.join(ours)
    assert len(group) == 0
    group.publish("1")
    ours.send(texts("2"))
    await settle(ours)
    assert ours.nobody_else_was_written_to()


@pytest.mark.usefixtures("never_at_once")
async def test_nothing_follows_a_cut_in_the_middle_of_a_send(
    make: Make, group: FanOutGroup
) -> None:
    """What is sent to one alone is dropped when catching up was too much already."""
    ours = make(group, bound=100)
    fill(ours)
    ours.write(b"x" * 100)
    group.publish("1")
    # PairWire itself refuses what comes after its cut.
    ours.send(texts("alone"))
    assert ours.is_cut


@pytest.mark.usefixtures("never_at_once")
async def test_catching_up_with_much_is_not_too_much(
    make: Make, group: FanOutGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A healthy reader is not cut for how much others were sent in one turn."""
    monkeypatch.setattr(fanout, "_BLOB_BYTES", 2_000)
    ours = make(group, bound=4_000)
    payloads = [f"{number}{'x' * 900}" for number in range(20)]
    original = ours._drain

    def read_and_drain() -> None:
        # Its peer reads as fast as anything is written.
        original()
        ours.read()

    monkeypatch.setattr(ours, "_drain", read_and_drain)
    for payload in payloads:
        group.publish(payload)
    ours.send(texts("alone"))
    assert not ours.is_cut
    await settle(ours)
    assert ours.received == texts(*payloads, "alone")


@pytest.mark.usefixtures("never_at_once")
async def test_batches_are_split(
    make: Make, group: FanOutGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long batch goes out in parts, and who is ahead of them stays so."""
    monkeypatch.setattr(fanout, "_BLOB_BYTES", 30)
    ours, other = make(group), make(group)
    payloads = [f"{number}-{'x' * 10}" for number in range(9)]
    for payload in payloads[:7]:
        group.publish(payload)
    ours.send(texts("alone"))
    for payload in payloads[7:]:
        group.publish(payload)
    await settle(ours, other)
    assert other.received == texts(*payloads)
    assert ours.received == texts(*payloads[:7], "alone", *payloads[7:])
    assert not ours.is_busy


@pytest.mark.usefixtures("never_at_once")
async def test_slow_reader_gets_everything(make: Make, group: FanOutGroup) -> None:
    """What the socket does not take waits, and the next frames behind it."""
    slow, quick = make(group), make(group)
    payloads = [f"{number}{'x' * 300}" for number in range(60)]
    for payload in payloads:
        group.publish(payload)
        await asyncio.sleep(0)
        quick.read()
    assert slow.is_busy
    assert slow.unsent()
    await settle(slow, quick)
    assert slow.received == quick.received == texts(*payloads)
    assert not slow.is_busy


@pytest.mark.usefixtures("never_at_once", "one_by_one")
async def test_joining_or_leaving_inside_a_round(make: Make, group: FanOutGroup) -> None:
    """While a round walks from socket to socket, each gets what was published in its time."""
    wires = [make(group) for _ in range(4)]
    group.publish("1")
    await asyncio.sleep(0)
    wires[0].cut()
    group.leave(wires[3])
    late = make(group)
    # The very next one.
    wires[1].send(texts("alone"))
    wires[2].send(texts("alone"))
    group.publish("2")
    await settle(*wires[1:], late)
    assert wires[1].received == texts("1", "alone", "2")
    assert wires[2].received == texts("1", "alone", "2")
    assert wires[3].received == texts("1")
    assert late.received == texts("2")
    assert len(group) == 3


@pytest.mark.usefixtures("never_at_once", "one_by_one")
async def test_wire_that_becomes_busy_inside_a_round_gets_its_frames_once(
    make: Make, group: FanOutGroup
) -> None:
    """One that left its place before the round came to it gets the frames at the end."""
    wires = [make(group) for _ in range(4)]
    group.publish("1")
    await asyncio.sleep(0)
    # Written past the group, as a close frame is: nobody has caught up.
    wires[0].write(b"<0>")
    wires[3].write(b"<3>")
    group.publish("2")
    await settle(*wires)
    assert wires[0].received == texts("1") + b"<0>" + texts("2")
    assert wires[3].received == b"<3>" + texts("1", "2")


@pytest.mark.usefixtures("never_at_once")
async def test_many_bytes_are_written_to_few_sockets_in_one_step(
    make: Make, group: FanOutGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copying long frames takes time, too, for which everything else would wait."""
    monkeypatch.setattr(turns, "_SECONDS", 0)
    monkeypatch.setattr(rounds, "_SLICE_BYTES", 2 * len(texts("x" * 200)))
    wires = [make(group) for _ in range(6)]

    async def turn() -> int:
        await asyncio.sleep(0)
        for wire in wires:
            wire.read()
        return sum(bool(wire.received) for wire in wires)

    group.publish("x" * 200)
    assert [await turn() for _ in range(3)] == [2, 4, 6]
    await settle(*wires)
    assert all(wire.received == texts("x" * 200) for wire in wires)


@pytest.mark.usefixtures("never_at_once")
async def test_busy_members_are_written_to_a_few_at_a_time(
    make: Make, group: FanOutGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round is no long step even where nobody is idle."""
    monkeypatch.setattr(turns, "_SECONDS", 0)
    monkeypatch.setattr(rounds, "_LATE_SLICE", 2)
    wires = [make(group) for _ in range(6)]
    for wire in wires:
        wire.make_busy()
    group.publish("1")

    async def turn() -> int:
        await asyncio.sleep(0)
        for wire in wires:
            wire.read()
        return sum(bool(wire.unsent() or wire.received) for wire in wires)

    assert [await turn() for _ in range(3)] == [2, 4, 6]
    await settle(*wires)
    assert all(wire.received == texts("1") for wire in wires)


@pytest.mark.usefixtures("never_at_once")
async def test_lost_connection_harms_nobody(make: Make, group: FanOutGroup) -> None:
    """The others get their frames, and whoever gets the number next gets none of them."""
    lost, other = make(group), make(group)
    lost.vanish()
    for number in range(3):
        group.publish(str(number))
        await asyncio.sleep(0)
    await settle(other)
    assert other.received == texts("0", "1", "2")
    assert lost.is_cut
    assert lost.nobody_else_was_written_to()
    assert len(group) == 1


@pytest.mark.usefixtures("never_at_once")
@pytest.mark.parametrize("is_busy", [True, False])
async def test_wire_that_fails_harms_nobody(
    make: Make, group: FanOutGroup, monkeypatch: pytest.MonkeyPatch, is_busy: bool
) -> None:
    """An error at one connection drops that one; it does not silence the channel."""
    broken, other = make(group), make(group)
    fill(broken)
    if not is_busy:
        # It is found full by the group itself.
        broken._loop.remove_writer(broken._ours)
        broken._buffer.clear()
        broken.make_idle()

    def fail(_: bytes) -> None:
        raise RuntimeError("no more sockets to watch")

    monkeypatch.setattr(broken, "write", fail)
    monkeypatch.setattr(broken, "write_within_bound", fail)
    for number in range(3):
        group.publish(str(number) + "x" * 1000)
        await asyncio.sleep(0)
    await settle(other)
    assert other.received == texts(*(str(number) + "x" * 1000 for number in range(3)))
    assert broken.is_dropped
    assert len(group) == 1


@pytest.mark.usefixtures("never_at_once", "one_by_one")
async def test_cut_wire_that_is_late_gets_nothing(make: Make, group: FanOutGroup) -> None:
    """A connection that ends while a round is yet to come to it is left out."""
    wires = [make(group) for _ in range(3)]
    group.publish("1")
    await asyncio.sleep(0)
    wires[2].make_busy()
    wires[2].cut()
    await settle(*wires[:2])
    assert wires[1].received == texts("1")
    assert not wires[2].is_dropped


async def test_members_without_a_wire_get_the_same(make: Make, group: FanOutGroup) -> None:
    """Each with a queue of its own, and in the same order."""

    class Queue:
        wire = None

        def __init__(self) -> None:
            self.frames: list[str] = []

        def send(self, frame: str) -> None:
            self.frames.append(frame)

        def send_catch_up(self, frames: object) -> None:
            raise AssertionError("groups send nothing but new frames")

    queue, ours = Queue(), make(group)
    group.join(queue)
    group.publish("1")
    group.publish("2")
    group.leave(queue)
    group.publish("3")
    await settle(ours)
    assert queue.frames == ["1", "2"]
    assert ours.received == texts("1", "2", "3")


# -- everything at once --


class FanOut(RuleBasedStateMachine):
    """
    Connections in several groups, some of which read slowly; everything happens in any order,
    between turns of the loop and in the middle of rounds.
    """

    GROUPS, WIRES = 3, 8
    # A step each, of which all that one run publishes takes less.
    ENOUGH_TURNS = 20_000

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        shared = turns.Turns()
        self.groups = [FanOutGroup("test", shared) for _ in range(self.GROUPS)]
        self.members: dict[FanOutGroup, set[PairWire]] = {group: set() for group in self.groups}
        self.wires: list[PairWire] = []
        self.scripts: dict[PairWire, Script] = {}
        self.count = 0
        self.patch = pytest.MonkeyPatch()

    @initialize(
        slice_=st.sampled_from([1, 3, 7]),
        few=st.sampled_from([0, 0, 0, 2]),
        blob=st.sampled_from([80, 400, 128 * 1024]),
        bound=st.sampled_from([600, 1 << 20]),
        seconds=st.sampled_from([0, 0, 10]),
    )
    def begin(self, slice_: int, few: int, blob: int, bound: int, seconds: int) -> None:
        for module, name, value in (
            (fanout, "_FEW", few),
            (fanout, "_BLOB_BYTES", blob),
            (rounds, "_SLICE", slice_),
            (rounds, "_LATE_SLICE", slice_),
            (turns, "_SECONDS", seconds),
        ):
            self.patch.setattr(module, name, value)
        self.bound = bound
        for number in range(self.WIRES):
            self.connect()
            for group in self.groups[: 1 + number % self.GROUPS]:
                self.join_one(self.wires[number], group)

    def connect(self) -> None:
        self.wires.append(PairWire(self.loop, self.bound))
        self.scripts[self.wires[-1]] = Script()

    def join_one(self, wire: PairWire, group: FanOutGroup) -> None:
        if not wire.is_cut:
            group.join(wire)
            self.members[group].add(wire)

    def text(self, size: int) -> str:
        self.count += 1
        return f"{self.count}:" + "x" * size

    def in_loop(self, step: Callable[..., None], *arguments: object) -> None:
        """Do something as a part of a turn, without the rest of it."""
        events._set_running_loop(self.loop)
        try:
            step(*arguments)
        finally:
            events._set_running_loop(None)

    wire_numbers = st.integers(0, WIRES - 1)
    group_numbers = st.integers(0, GROUPS - 1)
    # Some are more than a socket's buffer.
    sizes = st.sampled_from([0, 5, 50, 200, 1500, 6000])

    @rule(number=group_numbers, size=sizes, times=st.integers(1, 3))
    def publish(self, number: int, size: int, times: int) -> None:
        group = self.groups[number]
        for _ in range(times):
            text = self.text(size)
            for wire in self.members[group]:
                self.scripts[wire].published(group, text)
            self.in_loop(group.publish, text)

    @rule(number=wire_numbers, size=sizes)
    def send(self, number: int, size: int) -> None:
        """As a reply that the outbox sends."""
        wire = self.wires[number]
        frame = text_frame(self.text(size).encode())
        if not wire.is_cut:
            self.scripts[wire].sent(frame)
            self.in_loop(wire.send, frame)

    @rule(number=wire_numbers, size=sizes)
    def write(self, number: int, size: int) -> None:
        """As an ASGI message."""
        wire = self.wires[number]
        frame = text_frame(self.text(size).encode())
        if not wire.is_cut:
            self.scripts[wire].sent(frame)
            self.in_loop(wire.catch_up)
            if not wire.is_cut:
                self.in_loop(wire.write, frame)

    @rule(size=sizes, number=wire_numbers, kind=st.sampled_from(["send", "leave", "cut", ""]))
    def act_while_all_groups_write(self, size: int, number: int, kind: str) -> None:
        """The rounds of several groups are under way, and one finds a socket full."""
        for which in range(self.GROUPS):
            self.publish(which, size, 1)
        self.turn(2)
        match kind:
            case "send":
                self.send(number, 5)
            case "leave":
                self.leave(number, 0)
            case "cut":
                self.cut_and_replace(number)
        self.publish(0, 5, 1)

    @rule(number=wire_numbers, is_short=st.booleans())
    def flicker(self, number: int, is_short: bool) -> None:
        """Transports tell that they are busy without having been written to."""
        wire = self.wires[number]
        if not wire.is_cut:
            self.in_loop(wire.make_busy)
            if is_short:
                self.in_loop(wire.make_idle)

    @rule(number=wire_numbers, which=group_numbers)
    def join(self, number: int, which: int) -> None:
        self.in_loop(self.join_one, self.wires[number], self.groups[which])

    @rule(number=wire_numbers, which=group_numbers)
    def leave(self, number: int, which: int) -> None:
        wire, group = self.wires[number], self.groups[which]
        self.in_loop(group.leave, wire)
        self.members[group].discard(wire)

    @rule(number=wire_numbers)
    def cut_and_replace(self, number: int) -> None:
        """A connection ends, and another one begins."""
        old = self.wires[number]
        self.in_loop(old.cut)
        self.connect()
        self.wires[number], self.wires[-1] = self.wires[-1], old
        self.join_one(self.wires[number], self.groups[number % self.GROUPS])

    @rule(number=wire_numbers)
    def vanish(self, number: int) -> None:
        if not self.wires[number].is_lost:
            self.wires[number].read()
            self.wires[number].vanish()

    @rule(number=wire_numbers, most=st.sampled_from([1, 100, 3000, 1 << 20]))
    def read(self, number: int, most: int) -> None:
        wire = self.wires[number]
        if not wire.is_lost:
            wire.read(most)

    @rule()
    def read_most(self) -> None:
        """All but the slow ones."""
        for wire in self.wires[::2]:
            if not wire.is_lost:
                wire.read()

    @rule(times=st.integers(1, 3))
    def turn(self, times: int) -> None:
        for _ in range(times):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    @precondition(lambda self: self.wires)
    @rule()
    def settle(self) -> None:
        quiet = 0
        for _ in range(self.ENOUGH_TURNS):
            before = sum(len(wire.received) for wire in self.wires)
            self.turn(2)
            for wire in self.wires:
                if not wire.is_lost:
                    wire.read()
            is_same = before == sum(len(wire.received) for wire in self.wires)
            quiet = quiet + 1 if is_same and not any(group._is_due for group in self.groups) else 0
            if quiet == 4:
                break
        assert quiet == 4, "it goes on for ever"
        for wire in self.wires:
            self.in_loop(wire.make_idle)
            is_whole = not wire.is_cut and not wire.is_lost
            self.scripts[wire].check(wire.received, is_whole=is_whole)
            assert wire.is_lost or wire.is_cut or not wire.is_busy

    @invariant()
    def a_wire_is_idle_in_all_groups_or_busy_in_all(self) -> None:
        for group, members in self.members.items():
            members -= {wire for wire in members if wire.is_cut}
            assert len(group) == len(members)
            assert group._busy == {wire for wire in members if wire.is_busy}
            assert len(group._idle) == len([wire for wire in members if not wire.is_busy])
            for wire in members - group._busy:
                slot = group._idle.find(wire)
                assert group._idle.wires[slot] is wire
                assert group._idle.descriptors[slot] == wire.descriptor()
        for wire in self.wires:
            assert wire.is_busy or wire.is_cut or not (wire.ahead or wire.unsent())

    @invariant()
    def nobody_is_written_to_after_a_cut(self) -> None:
        for wire in self.wires:
            assert not wire.is_dropped
            assert not wire.is_cut or wire.nobody_else_was_written_to()

    def teardown(self) -> None:
        try:
            if self.wires:
                self.settle()
        finally:
            for wire in self.wires:
                wire.close()
            self.loop.close()
            self.patch.undo()


# To make an example smaller takes minutes, at whose end the test is killed and has shown nothing.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]

TestFanOut = FanOut.TestCase
TestFanOut.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, phases=PHASES
)


@pytest.mark.thorough
def test_everything_at_once_for_long() -> None:
    """The same with more examples, and some that are longer."""
    for examples, steps in ((300, 40), (50, 120)):
        run_state_machine_as_test(
            FanOut,
            settings=settings(
                max_examples=examples, stateful_step_count=steps, deadline=None, phases=PHASES
            ),
        )
