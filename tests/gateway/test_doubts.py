"""In which order it is asked again what users may hear."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.doubts import Doubts, Question

type Heard = dict[int | None, set[str]]

_USERS = st.one_of(st.none(), st.integers(1, 120))
_HEARD = st.dictionaries(_USERS, st.sets(st.sampled_from("abcdef")), max_size=120)


def questions_of(heard: Heard) -> set[Question]:
    return {Question(user, name) for user, names in heard.items() for name in (None, *names)}


@given(_HEARD, st.lists(st.sampled_from(["answer", "none", "cancel", "add"])), st.data())
def test_nothing_is_lost(heard: Heard, course: list[str], data: st.DataObject) -> None:
    """Whatever fails, is cancelled or comes meanwhile, all is answered that was in doubt last."""
    doubts = Doubts(heard.get)
    doubts.add(heard)
    left, now = questions_of(heard), 0.0
    for event in course:
        now += doubts.wait(now) or 0.0
        asked = doubts.take(now)
        match event:
            case "answer":
                doubts.answered()
                left -= set(asked)
            case "none":
                doubts.unanswered(now)
            case "add" if heard:
                again = data.draw(st.sets(st.sampled_from(sorted(heard, key=str))))
                doubts.add(again)
                doubts.answered()
                left -= set(asked)
                left |= questions_of({user: heard[user] for user in again})
    while (seconds := doubts.wait(now)) is not None:
        now += seconds
        left -= set(doubts.take(now))
        doubts.answered()
    assert not left


@given(_HEARD.filter(bool), st.data())
def test_one_that_is_never_answered_keeps_no_others(heard: Heard, data: st.DataObject) -> None:
    """All others have their answers after a few parts that failed, each half of the last."""
    silent = data.draw(st.sampled_from(sorted(questions_of(heard), key=str)))
    doubts = Doubts(heard.get)
    doubts.add(heard)
    left, now, failures = questions_of(heard) - {silent}, 0.0, 0
    while left:
        now += doubts.wait(now) or 0.0
        if silent in (asked := doubts.take(now)):
            doubts.unanswered(now)
            failures += 1
        else:
            doubts.answered()
            left -= set(asked)
    assert failures <= 9


def test_pause_grows_up_to_some_seconds() -> None:
    """The database may be away for long; what comes meanwhile is asked at once."""
    doubts = Doubts({1: {"a"}, 2: {"b"}}.get)
    doubts.add([1])
    times = [0.0]
    for _ in range(10):
        doubts.take(times[-1])
        doubts.unanswered(times[-1])
        times.append(times[-1] + (doubts.wait(times[-1]) or 0.0))
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert pauses[:5] == [0.5, 0.5, 1, 2, 4]
    assert set(pauses[5:]) == {8}
    doubts.add([2])
    assert doubts.wait(times[-2]) == 0.0
    assert doubts.take(times[-2]) == [Question(2, None), Question(2, "b")]
    doubts.answered()
    assert doubts.wait(times[-2]) == 8.0


def test_many_channels_of_one_user() -> None:
    """They are asked in parts, as all anonymous clients are one user."""
    heard: Heard = {None: {str(number) for number in range(1_000)}}
    doubts = Doubts(heard.get)
    doubts.add([None])
    parts = []
    while doubts.wait(0.0) is not None:
        parts.append(doubts.take(0.0))
        doubts.answered()
    assert [len(part) for part in parts] == [250] * 4 + [1]
    assert {question for part in parts for question in part} == questions_of(heard)


def test_what_nobody_hears_anymore() -> None:
    """It is not asked again, and neither is who has gone."""
    heard: Heard = {1: {"a", "b"}, 2: {"a"}}
    doubts = Doubts(heard.get)
    doubts.add(heard)
    doubts.take(0.0)
    doubts.unanswered(0.0)
    heard[1].discard("b")
    del heard[2]
    doubts.add([2])
    asked: list[Question] = []
    while doubts.wait(9.0) is not None:
        asked += doubts.take(9.0)
        doubts.answered()
    assert asked == [Question(1, None), Question(1, "a")]
