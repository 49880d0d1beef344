"""Five defects to put into a faithful record, for which the checker is there to find them. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from tests.sdk.checker import Defect, Heard, Log, Record, Subscribed, check

__all__ = ["SEEDED", "Steps", "heard_in", "undetected"]

type Steps = list[Subscribed | Heard]


def heard_in(steps: Steps) -> list[int]:
    """Return where in a record publications are."""
    return [index for index, step in enumerate(steps) if isinstance(step, Heard)]


# Seeded defects: each changes a faithful record in place.


def drop(steps: Steps, draw: random.Random) -> None:
    """Lose one publication."""
    del steps[draw.choice(heard_in(steps))]


def double(steps: Steps, draw: random.Random) -> None:
    """Deliver one publication again, at once or later."""
    index = draw.choice(heard_in(steps))
    steps.insert(draw.randrange(index + 1, len(steps) + 1), steps[index])


def swap(steps: Steps, draw: random.Random) -> None:
    """Deliver two publications the wrong way round."""
    one, other = draw.sample(heard_in(steps), 2)
    steps[one], steps[other] = steps[other], steps[one]


def stale_recovery(steps: Steps, draw: random.Random) -> None:
    """Promise all that was missed, and send a page that was read before the newest were written."""
    heard = heard_in(steps)
    at = draw.choice(heard)
    first, beginning = steps[at], steps[0]
    assert isinstance(first, Heard)
    assert isinstance(beginning, Subscribed)
    missing = draw.randrange(1, 4)
    promise = Subscribed(beginning.epoch, first.offset - 1, was_recovering=True, recovered=True)
    steps[at : at + missing] = [promise]


def lost_tail(steps: Steps, draw: random.Random) -> None:
    """Lose the last publications, after which nothing comes that would show it."""
    last = heard_in(steps)[-draw.randrange(1, 4) :]
    del steps[last[0] :]


SEEDED: dict[Callable[[Steps, random.Random], None], set[Defect]] = {
    drop: {Defect.GAP, Defect.MISPLACED, Defect.TAIL},
    double: {Defect.REPEAT},
    swap: {Defect.REORDER, Defect.GAP, Defect.MISPLACED},
    stale_recovery: {Defect.GAP, Defect.MISPLACED, Defect.TAIL},
    lost_tail: {Defect.TAIL},
}


def undetected(log: Log, records: Mapping[str, Record]) -> list[str]:
    """
    Put each defect into each of the records; return what the checker does not find by its name.

    Args:
        log: what the records are faithful to.
        records: each with at least eight publications.
    """
    draw = random.Random(len(log.messages))
    missed = []
    for who, record in records.items():
        for spoil, expected in SEEDED.items():
            spoilt = list(record)
            spoil(spoilt, draw)
            found = {finding.defect for finding in check(log, (), {who: spoilt})}
            if not found & expected:
                missed.append(f"{spoil.__name__} at {who}")
    return missed
