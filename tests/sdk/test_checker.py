"""The checker finds nothing in faithful records, and whatever is put wrong in them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sdk.checker import Defect, Finding, Heard, Log, Subscribed, check, record_of
from tests.sdk.seeded import SEEDED, Steps, heard_in, undetected

EPOCH = "aZ3f"


def log_of(head: int, first: int = 1) -> Log:
    return Log(EPOCH, {offset: f"m-{offset}" for offset in range(first, head + 1)})


def faithful(log: Log, draw: random.Random, *, may_refuse: bool = False) -> Steps:
    """Return what a subscriber hears that is cut off now and then, until it is at the head."""
    position = draw.randrange(log.head)
    steps: Steps = [Subscribed(EPOCH, position)]
    while position < log.head:
        for _ in range(draw.randrange(1, 8)):
            if position < log.head:
                position += 1
                steps.append(Heard(position, log.messages[position]))
        if draw.random() < 0.5:
            refused = may_refuse and draw.random() < 0.5
            if refused:
                position = draw.randrange(position, log.head + 1)
            steps.append(Subscribed(EPOCH, position, was_recovering=True, recovered=not refused))
    return steps


@given(st.integers(2, 60), st.booleans(), st.randoms(use_true_random=False))
def test_faithful(head: int, may_refuse: bool, draw: random.Random) -> None:
    """Cuts and recoveries, and refusals where they are honest, are no findings."""
    log = log_of(head)
    records = {name: faithful(log, draw, may_refuse=may_refuse) for name in ("one", "other")}
    assert check(log, set(log.messages.values()), records, may_refuse=may_refuse) == []


@pytest.mark.parametrize("spoil", SEEDED, ids=lambda spoil: spoil.__name__)
@given(st.integers(8, 60), st.randoms(use_true_random=False))
def test_seeded_defect(
    spoil: Callable[[Steps, random.Random], None], head: int, draw: random.Random
) -> None:
    """Wherever it happens, it is found, at the subscriber that it happened to, by its own name."""
    log = log_of(head)
    spoilt: Steps = [Subscribed(EPOCH, 0), *(Heard(o, m) for o, m in log.messages.items())]
    for _ in range(draw.randrange(3)):
        index = draw.choice(heard_in(spoilt))
        offset = spoilt[index].offset - 1
        spoilt.insert(index, Subscribed(EPOCH, offset, was_recovering=True, recovered=True))
    records = {"faithful": faithful(log, draw), "spoilt": spoilt}
    assert check(log, set(log.messages.values()), records) == []
    spoil(spoilt, draw)
    findings = check(log, set(log.messages.values()), records)
    assert {finding.who for finding in findings} == {"spoilt"}
    assert {finding.defect for finding in findings} & SEEDED[spoil]


def test_undetected() -> None:
    """Of records in which a defect cannot show, it is said that it was not found."""
    log = log_of(12)
    record: Steps = [Subscribed(EPOCH, 0), *(Heard(o, m) for o, m in log.messages.items())]
    assert undetected(log, {"one": record}) == []
    short = Log(EPOCH, {offset: log.messages[offset] for offset in range(1, 6)})
    assert "lost_tail at one" in undetected(short, {"one": record})


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, [str(finding) for finding in findings]
    return findings[0]


def test_acknowledged_and_not_stored() -> None:
    """A false acknowledgement is found in the log alone."""
    finding = only(check(log_of(3), {"m-1", "m-4"}, {}))
    assert (finding.defect, finding.detail) == (Defect.LOST, "m-4")


def test_stored_twice() -> None:
    """One message at two offsets is found, though its offsets are in order."""
    log = Log(EPOCH, {1: "a", 2: "b", 3: "a"})
    assert only(check(log, {"a", "b"}, {})).defect is Defect.STORED_TWICE


def test_hole_in_the_log() -> None:
    """An offset that was never written, or written over, is found."""
    log = Log(EPOCH, {1: "a", 3: "c"})
    assert only(check(log, set(), {})).defect is Defect.HOLE


def test_other_content_than_the_log() -> None:
    """Right offsets with other messages are found."""
    record: Steps = [Subscribed(EPOCH, 0), Heard(1, "m-1"), Heard(2, "m-1")]
    assert only(check(log_of(2), set(), {"one": record})).defect is Defect.FOREIGN


def test_epoch_of_another_life() -> None:
    """A subscription that goes on in another numbering is found."""
    record: Steps = [Subscribed("old", 2)]
    assert only(check(log_of(2), set(), {"one": record})).defect is Defect.MISPLACED


def test_refusal_where_none_is_due() -> None:
    """`recovered: false` is a finding unless the test expects it."""
    refused = Subscribed(EPOCH, 3, was_recovering=True)
    record: Steps = [Subscribed(EPOCH, 0), Heard(1, "m-1"), refused]
    assert only(check(log_of(3), set(), {"one": record})).defect is Defect.REFUSED
    assert check(log_of(3), set(), {"one": record}, may_refuse=True) == []


def test_silent_new_beginning() -> None:
    """A subscriber that had a position and is put to the head without being told is found."""
    record: Steps = [Subscribed(EPOCH, 0), Heard(1, "m-1"), Subscribed(EPOCH, 3)]
    assert only(check(log_of(3), set(), {"one": record})).defect is Defect.MISPLACED


def test_never_subscribed() -> None:
    """A record in which nothing happened is no faithful one."""
    assert only(check(log_of(3), set(), {"one": []})).defect is Defect.DEAF


def test_trimmed_log() -> None:
    """A log whose oldest publications were cut has no hole."""
    record: Steps = [Subscribed(EPOCH, 5), Heard(6, "m-6")]
    assert check(log_of(6, first=4), {"m-5", "m-6"}, {"one": record}) == []


def test_record_of_events() -> None:
    """One channel's steps are picked out of an SDK's events, in their order."""
    subscribed = {
        "event": "subscribed",
        "channel": "chat:a",
        "position": {"epoch": EPOCH, "offset": 4},
        "was_recovering": False,
        "recovered": False,
    }
    publication = {"event": "publication", "channel": "chat:a", "offset": 5, "data": {"n": "m-5"}}
    events: list[dict[str, Any]] = [
        {"event": "connected", "client": "c"},
        subscribed,
        {**publication, "channel": "chat:b"},
        publication,
        {**subscribed, "was_recovering": True, "recovered": True},
    ]
    first = Subscribed(EPOCH, 4)
    assert record_of(events, "chat:a", lambda data: data["n"]) == [
        first,
        Heard(5, "m-5"),
        replace(first, was_recovering=True, recovered=True),
    ]
