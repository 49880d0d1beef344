"""What is made of what clients were told; pure."""

from __future__ import annotations

import math
from typing import Any

from tests.rollout.absences import Absence, Returns, absences_of

ROOM = "chat:room"


def told(event: str, at: float, channel: str = "", **more: Any) -> dict[str, Any]:
    return {"event": event, "channel": channel, "at": at, **more}


COMING = [
    told("connecting", 0.0, code=0),
    told("connected", 0.1),
    told("subscribed", 0.2, ROOM),
]


def test_who_stays_was_never_away() -> None:
    """The first connection is not a return."""
    assert absences_of([*COMING, told("publication", 1.0, ROOM)], ROOM) == []


def test_away_until_the_room_is_heard_again() -> None:
    """A connection alone, or another room, does not end an absence."""
    events = [
        *COMING,
        told("connecting", 5.0, code=3001),
        told("connected", 5.5),
        told("subscribed", 5.6, "chat:hall"),
        told("subscribed", 5.75, ROOM),
    ]
    assert absences_of(events, ROOM) == [Absence(5.0, 3001, 5.5, 5.75)]
    assert absences_of(events, ROOM)[0].seconds == 0.75


def test_sent_away_twice() -> None:
    """Who is sent away again before it heard its room has two absences, and was back in one."""
    events = [
        *COMING,
        told("connecting", 5.0, code=3001),
        told("connected", 5.5),
        told("connecting", 5.6, code=1),
        told("connected", 6.0),
        told("subscribed", 6.1, ROOM),
    ]
    assert absences_of(events, ROOM) == [
        Absence(5.0, 3001, 5.5, math.inf),
        Absence(5.6, 1, 6.0, 6.1),
    ]


def test_never_back() -> None:
    """Who does not come back is away for ever."""
    (absence,) = absences_of([*COMING, told("disconnected", 5.0, code=3500)], ROOM)
    assert (absence.code, absence.seconds) == (3500, math.inf)


def test_even_returns() -> None:
    """Four a second over 25 seconds are four in the busiest one, which is the mean."""
    returns = Returns([n / 4 for n in range(1, 101)], seconds=25.0)
    assert (returns.busiest_second, returns.per_second) == (4, 4.0)


def test_all_at_once() -> None:
    """A herd that comes in one second of ten is far above its mean, however late it comes."""
    returns = Returns([60 + n / 100 for n in range(100)], seconds=10.0)
    assert returns.busiest_second == 100
    assert returns.busiest_second > 2 * returns.per_second


def test_a_few() -> None:
    """No second has more than all of them: those of a short drain are no herd."""
    returns = Returns([0.1, 0.2, 0.3], seconds=0.06)
    assert (returns.busiest_second, returns.per_second) == (3, 3.0)


def test_nobody_returned() -> None:
    """Nobody is no herd."""
    returns = Returns([], seconds=1.0)
    assert (returns.busiest_second, returns.per_second) == (0, 0.0)
