"""
The states of a job and of a chunk, and every way from one to another. Pure: no Django, no I/O.

    draft --start--> planning --(planned)--> running --(last chunk)--> finished
                        |                      |  ^                        |
                        |                   pause  resume             retry|(failed ones left)
                        |                      v  |                        |
                        |                     paused            running <--+
                        +---- cancel: from draft, planning, running, paused --> cancelled

    A draft with listed recipients takes more of them (add), its text may be written anew (edit),
    and it stays one.

    chunk: pending --> done        stored and counted
           pending --> parked      raised five times; a retry makes it pending again
"""

from __future__ import annotations

import enum

from shared.bulk.exceptions import BulkError

__all__ = ["ChunkState", "JobState", "Transition", "WrongState", "next_state"]


class JobState(enum.StrEnum):
    """Where a job is; the values are metric labels."""

    DRAFT = "draft"
    PLANNING = "planning"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"

    @property
    def is_moving(self) -> bool:
        """Whether workers have something to do for it."""
        return self in (JobState.PLANNING, JobState.RUNNING)

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to it by itself anymore."""
        return self in (JobState.FINISHED, JobState.CANCELLED)


class ChunkState(enum.StrEnum):
    """Where a chunk is."""

    PENDING = "pending"
    DONE = "done"
    PARKED = "parked"


class Transition(enum.StrEnum):
    """What makes a job go on to another state."""

    ADD = "take recipients"
    EDIT = "change its text"
    START = "start"
    PLANNED = "planned"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    FINISH = "finish"
    RETRY = "retry"


_WAYS: dict[tuple[JobState, Transition], JobState] = {
    (JobState.DRAFT, Transition.ADD): JobState.DRAFT,
    (JobState.DRAFT, Transition.EDIT): JobState.DRAFT,
    (JobState.DRAFT, Transition.START): JobState.PLANNING,
    (JobState.PLANNING, Transition.PLANNED): JobState.RUNNING,
    (JobState.RUNNING, Transition.PAUSE): JobState.PAUSED,
    (JobState.PAUSED, Transition.RESUME): JobState.RUNNING,
    (JobState.RUNNING, Transition.FINISH): JobState.FINISHED,
    (JobState.FINISHED, Transition.RETRY): JobState.RUNNING,
    **{
        (state, Transition.CANCEL): JobState.CANCELLED
        for state in (JobState.DRAFT, JobState.PLANNING, JobState.RUNNING, JobState.PAUSED)
    },
}


# As sentences have them, in the order in which people do them; the others go by themselves.
_WORDS: dict[Transition, str] = {
    Transition.ADD: "take recipients",
    Transition.EDIT: "be changed",
    Transition.START: "be started",
    Transition.PAUSE: "be paused",
    Transition.RESUME: "be resumed",
    Transition.RETRY: "be retried",
    Transition.CANCEL: "be cancelled",
}


class WrongState(BulkError):
    """
    A job cannot go this way from where it is.

    Attributes:
        state: where it is.
        transition: what was wanted.
    """

    def __init__(self, state: JobState, transition: Transition) -> None:
        self.state = state
        self.transition = transition

    def __str__(self) -> str:
        state = "a draft" if self.state is JobState.DRAFT else str(self.state)
        wanted = _WORDS.get(self.transition, str(self.transition))
        open_ways = [word for way, word in _WORDS.items() if (self.state, way) in _WAYS]
        advice = f"It can {_either(open_ways)}" if open_ways else "Make a new one instead"
        return f"This job is {state}: it cannot {wanted}. {advice}."


def next_state(state: JobState, transition: Transition) -> JobState:
    """
    Return where a transition leads.

    Raises:
        WrongState: there is no such way.
    """
    try:
        return _WAYS[state, transition]
    except KeyError:
        raise WrongState(state, transition) from None


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
