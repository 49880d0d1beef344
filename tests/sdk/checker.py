"""
What must be true of a channel's log and of what its subscribers heard; plain values, no I/O.

The log is the truth. Every acknowledged message is in it once, its offsets have no hole, and each
subscriber heard from its first position on every offset once, ascending, with the log's content,
up to the head. A recovery starts where the subscriber stood; one that was refused says so, and
only then may offsets be left out.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Defect", "Finding", "Heard", "Log", "Record", "Subscribed", "check", "record_of"]


class Defect(enum.Enum):
    """What can be wrong."""

    LOST = "acknowledged, but not in the log"
    STORED_TWICE = "more than once in the log"
    HOLE = "an offset that the log does not have"
    GAP = "offsets were left out"
    REPEAT = "an offset came again"
    REORDER = "an offset came after a later one"
    FOREIGN = "the log has another message, or none, at this offset"
    MISPLACED = "a subscription that starts elsewhere than where the subscriber stood"
    REFUSED = "a recovery was refused"
    TAIL = "the last offsets of the log never came"
    DEAF = "never subscribed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `who` is a subscriber's name, or empty for the log itself."""

    defect: Defect
    who: str
    detail: str

    def __str__(self) -> str:
        return f"{self.who or 'log'}: {self.defect.value} ({self.detail})"


@dataclass(frozen=True, slots=True)
class Log:
    """A channel's log as the database has it: messages by offset, the oldest may be trimmed."""

    epoch: str
    messages: Mapping[int, str]

    @property
    def head(self) -> int:
        return max(self.messages, default=0)


@dataclass(frozen=True, slots=True)
class Subscribed:
    """
    The server said that a subscription begins.

    Attributes:
        epoch, offset: the position that the SDK was given.
        was_recovering: whether the subscriber asked for what it had missed.
        recovered: whether it was promised all of that.
    """

    epoch: str
    offset: int
    was_recovering: bool = False
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """One publication reached the subscriber."""

    offset: int
    message: str


type Record = Sequence[Subscribed | Heard]


def check(
    log: Log,
    acked: Collection[str],
    records: Mapping[str, Record],
    *,
    may_refuse: bool = False,
) -> list[Finding]:
    """
    Compare what was acknowledged and what was heard with the log.

    Args:
        log: read after the last message was sent.
        acked: the messages whose senders were told that they are stored.
        records: what each subscriber heard, until nothing more came.
        may_refuse: whether `recovered: false` is an honest answer here.

    Returns:
        All that is wrong; empty when nothing is.
    """
    findings = list(_check_log(log, acked))
    for who, record in records.items():
        reader = _Reader(log, who, may_refuse=may_refuse)
        findings += reader.read(record)
    return findings


def _check_log(log: Log, acked: Collection[str]) -> Iterator[Finding]:
    stored = Counter(log.messages.values())
    for message in sorted(set(acked) - set(stored)):
        yield Finding(Defect.LOST, "", message)
    for message, times in sorted(stored.items()):
        if times > 1:
            yield Finding(Defect.STORED_TWICE, "", f"{message}, {times} times")
    if log.messages:
        for offset in sorted(set(range(min(log.messages), log.head)) - set(log.messages)):
            yield Finding(Defect.HOLE, "", str(offset))


@dataclass
class _Reader:
    """
    Follows one subscriber through its record.

    Attributes:
        position: the highest offset that it has, by hearing it or by being told to start there.
        heard: the offsets that came.
    """

    log: Log
    who: str
    may_refuse: bool
    position: int | None = None
    heard: set[int] = field(default_factory=set)

    def read(self, record: Record) -> Iterator[Finding]:
        for step in record:
            if isinstance(step, Subscribed):
                yield from self.subscribe(step)
            else:
                yield from self.hear(step)
        if self.position is None:
            yield self.finding(Defect.DEAF, "no subscription in its record")
        elif self.position < self.log.head:
            detail = f"stopped at {self.position}, the head is {self.log.head}"
            yield self.finding(Defect.TAIL, detail)

    def subscribe(self, step: Subscribed) -> Iterator[Finding]:
        if step.epoch != self.log.epoch:
            detail = f"epoch {step.epoch!r}, the log's is {self.log.epoch!r}"
            yield self.finding(Defect.MISPLACED, detail)
        position = step.offset if self.position is None else self.position
        # To be told that something is missing is honest; all else goes on where it stood.
        is_refusal = step.was_recovering and not step.recovered
        if is_refusal and not self.may_refuse:
            yield self.finding(Defect.REFUSED, f"at {position}, sent on to {step.offset}")
        if step.offset < position or (step.offset > position and not is_refusal):
            yield self.finding(Defect.MISPLACED, f"stood at {position}, went on at {step.offset}")
        self.position = max(position, step.offset)

    def hear(self, step: Heard) -> Iterator[Finding]:
        stored = self.log.messages.get(step.offset)
        if stored != step.message:
            detail = f"{step.offset} is {stored!r}, not {step.message!r}"
            yield self.finding(Defect.FOREIGN, detail)
        if self.position is None:
            yield self.finding(Defect.MISPLACED, f"heard {step.offset} before it was subscribed")
            self.position = step.offset - 1
        if step.offset in self.heard:
            yield self.finding(Defect.REPEAT, str(step.offset))
        elif step.offset <= self.position:
            yield self.finding(Defect.REORDER, f"{step.offset} after {self.position}")
        elif step.offset > self.position + 1:
            yield self.finding(Defect.GAP, f"from {self.position} to {step.offset}")
        self.heard.add(step.offset)
        self.position = max(self.position, step.offset)

    def finding(self, defect: Defect, detail: str) -> Finding:
        return Finding(defect, self.who, detail)


def record_of(
    events: Iterable[Mapping[str, Any]], channel: str, message_of: Callable[[Any], str]
) -> list[Subscribed | Heard]:
    """
    Pick one channel's steps out of an SDK's events (see `SdkClient`).

    Args:
        events: in the order in which the SDK told them.
        channel: whose.
        message_of: finds the message's own name in a publication's data.
    """
    record: list[Subscribed | Heard] = []
    for event in events:
        if event.get("channel") != channel:
            continue
        if event["event"] == "subscribed":
            record.append(
                Subscribed(
                    event["position"]["epoch"],
                    event["position"]["offset"],
                    event["was_recovering"],
                    event["recovered"],
                )
            )
        elif event["event"] == "publication":
            record.append(Heard(event["offset"], message_of(event["data"])))
    return record
