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
        return f"This job is {self.state}: it cannot {self.transition} from there."


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
