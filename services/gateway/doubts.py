"""
Doubts: what is to be asked again of users who may have lost a permission, and in which order. Pure.

A user in doubt becomes a question for each channel that theirs hear. What was asked together and
got no answer goes last, in two halves, after a pause, which grows while nothing of it is answered.
So a channel that nobody can say anything about holds up no others for long, and nothing is
forgotten until it is answered or nobody hears the channel anymore.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import NamedTuple

__all__ = ["Doubts", "Question"]

# What goes together is answered in time, whatever the namespaces ask.
_USERS_AT_ONCE = 50
_QUESTIONS_AT_ONCE = 250
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0


class Question(NamedTuple):
    """
    Whether a user may hear a channel.

    Attributes:
        user: their id; None is nobody's, of all anonymous clients.
        channel: which; None only asks for the account, of who may hear no channel.
    """

    user: int | None
    channel: str | None


class Doubts:
    """What waits, and what is being asked. The caller brings the clock, in seconds."""

    def __init__(self, heard_by: Callable[[int | None], Collection[str] | None]) -> None:
        """Take what returns the channels that a user's connections hear; None if there are none."""
        self._heard_by = heard_by
        self._users: dict[int | None, None] = {}
        # The next users' questions, which may be more than go together.
        self._new: dict[Question, None] = {}
        # Parts that got no answer, and all that is in them.
        self._old: deque[list[Question]] = deque()
        self._in_old: set[Question] = set()
        self._asked: list[Question] = []
        # Whether it is one of those parts that is being asked, and from when on the next one is.
        self._is_again = False
        self._due = -math.inf
        self._pause = _FIRST_PAUSE_SECONDS

    def add(self, users: Iterable[int | None]) -> None:
        """Have users asked about, also those of whom it is being asked: that may be too early."""
        self._users |= dict.fromkeys(users)

    def wait(self, now: float) -> float | None:
        """Return in how many seconds there is something to ask; None for never."""
        if self._users or self._new:
            return 0.0
        if self._old or self._asked:
            return max(0.0, self._due - now)
        return None

    def take(self, now: float) -> list[Question]:
        """Return what is to be asked now; `answered` or `unanswered` comes next."""
        # What somebody has taken who was cancelled.
        self._put_back(self._asked)
        self._is_again = bool(self._old) and now >= self._due
        if self._is_again:
            part = self._old.popleft()
            self._in_old.difference_update(part)
            self._asked = self._still_open(part)
        else:
            if not self._new:
                self._unfold(_pop(self._users, _USERS_AT_ONCE))
            self._asked = _pop(self._new, _QUESTIONS_AT_ONCE)
        return self._asked

    def answered(self) -> None:
        """Note that all that was taken is answered."""
        self._asked = []
        if self._is_again:
            self._pause = _FIRST_PAUSE_SECONDS

    def unanswered(self, now: float) -> None:
        """Note that there is no answer to all that was taken."""
        # So that what one namespace is asked comes together, which may be what cannot answer.
        asked, self._asked = sorted(self._asked, key=_by_channel), []
        middle = len(asked) // 2
        self._put_back(asked[:middle])
        self._put_back(asked[middle:])
        self._due = now + self._pause
        if self._is_again:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def _put_back(self, part: list[Question]) -> None:
        if part:
            self._old.append(part)
            self._in_old.update(part)

    def _unfold(self, users: Iterable[int | None]) -> None:
        for user in users:
            channels = self._heard_by(user)
            if channels is None:
                continue
            for question in (Question(user, None), *(Question(user, c) for c in sorted(channels))):
                # An old one would keep the new ones waiting again.
                if question not in self._in_old:
                    self._new[question] = None

    def _still_open(self, questions: Collection[Question]) -> list[Question]:
        heard = {user: self._heard_by(user) for user in {question.user for question in questions}}
        return [
            question
            for question in questions
            if (channels := heard[question.user]) is not None
            and (question.channel is None or question.channel in channels)
        ]


def _by_channel(question: Question) -> str:
    return question.channel or ""


def _pop[T](waiting: dict[T, None], most: int) -> list[T]:
    first = list(islice(waiting, most))
    for each in first:
        del waiting[each]
    return first
