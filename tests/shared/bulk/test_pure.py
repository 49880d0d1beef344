from __future__ import annotations

import pytest

from shared.bulk.chunking import split
from shared.bulk.states import JobState, Transition, WrongState, next_state


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (1_000, [1_000]), (1_001, [500, 501]), (2_500, [833, 833, 834])],
)
def test_chunks_are_few_and_of_nearly_one_size(count: int, sizes: list[int]) -> None:
    """No chunk has more than a thousand, none is a small rest, and nobody is lost."""
    parts = list(split(range(count), 1_000))
    assert [len(part) for part in parts] == sizes
    assert [number for part in parts for number in part] == list(range(count))


def test_what_a_final_state_allows() -> None:
    """A cancelled job goes nowhere; a finished one may be retried, and nothing else."""
    ways = {
        state: {way for way in Transition if _leads(state, way)}
        for state in JobState
        if state.is_final
    }
    assert ways == {JobState.CANCELLED: set(), JobState.FINISHED: {Transition.RETRY}}


def test_refusal_names_both() -> None:
    """The sentence says where the job is, what was wanted, and what is possible from there."""
    with pytest.raises(WrongState) as refused:
        next_state(JobState.PAUSED, Transition.START)
    assert str(refused.value) == (
        "This job is paused: it cannot be started. It can be resumed or be cancelled."
    )
    assert "a draft: it cannot be paused" in str(WrongState(JobState.DRAFT, Transition.PAUSE))
    assert "Make a new one" in str(WrongState(JobState.CANCELLED, Transition.RESUME))
    for state in JobState:
        for way in Transition:
            assert str(WrongState(state, way)).endswith(".")


def _leads(state: JobState, way: Transition) -> bool:
    try:
        next_state(state, way)
    except WrongState:
        return False
    return True
