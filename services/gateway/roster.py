"""
Rosters: who is in one channel at this gateway, and which joins and leaves are told.

A join and a leave carry a client's id, and a page that is loaded again has another one. So that
people do not seem to go and come back:

- A leave is not told at once. Some seconds after the user's last client here has gone, the database
  is asked whether the user is in the channel at another gateway, or was a moment ago. (Ten for
  coming back, and four in which other gateways write that they did, and readers see it.) Only if
  not, they have left, and the leaves of all clients that they had are told together. One who
  unsubscribes means to go: there the question is asked after two.
- A join is told, but not when the same user left here less than ten seconds ago. Then neither is
  told: for those who watch, the old client stands for the new one, and goes with it. Whoever asks
  for presence in between finds the old client still there (`shown`).
- A user with two tabs has one leave, when the second of them is closed.

Whoever keeps clients by their ids, as users of the SDKs do, shows the right users with that, and
so does whoever keeps users: no leave of theirs comes while they are here. A leave may name a
client that the receiver never heard of, which means nothing. At most `TABS` clients of a user wait
to be told of; then the oldest are forgotten, but for the first.

Anonymous users have nothing to be known again by: their leaves are told at once.

A channel with more than `LISTED` clients, at all gateways, is a crowd. Nobody is told who comes
and goes there, but how many are there, once a second if it has changed. It ends with a last such
count, of `RELISTED` or less: who wants to follow joins and leaves again asks for presence then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.presence.clients import (
    AWAY_SECONDS,
    SETTLE_SECONDS,
    WRITTEN_SECONDS,
    Attendance,
    ClientInfo,
    Entry,
    Standing,
    Stats,
)

__all__ = ["LISTED", "RELISTED", "TABS", "Departure", "Roster", "shown"]

LISTED = 200
# Well below: a channel at the limit must not change all the time.
RELISTED = 150
TABS = 64


class Departure(NamedTuple):
    """
    What a client's leaving means.

    Attributes:
        told: those whose leaves are told now.
        standing: how others know the client from now on.
    """

    told: list[ClientInfo]
    standing: Standing


@dataclass(slots=True)
class _Absence:
    """Clients of one user that are gone and of whose leaving nobody was told."""

    infos: list[ClientInfo] = field(default_factory=list)
    # When the last of them went from here without having said that it would.
    went: float = -math.inf
    # When to ask whether the user is at another gateway; None while they are at this one.
    due: float | None = None


class Roster:
    """One channel's clients at this gateway. The caller brings the clock, in seconds."""

    def __init__(self, *, told: bool = True) -> None:
        """Begin without clients; `told` is whether joins and leaves are told in this channel."""
        self._told = told
        # By client id.
        self.entries: dict[str, Entry] = {}
        # How many clients each user has here.
        self.tally: dict[str, int] = {}
        # By user id.
        self._absences: dict[str, _Absence] = {}
        # Whether there are too many to tell who comes and goes.
        self.is_crowd = False
        # The last count that was told, None after a change of what is told.
        self.counted: Stats | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody is here and nobody is waited for."""
        return not self.entries and not self._absences

    @property
    def is_waiting(self) -> bool:
        """Whether somebody's leave was not told yet."""
        return bool(self._absences)

    @property
    def unsettled(self) -> list[ClientInfo]:
        """The clients of whose leaving nobody was told."""
        return [info for absence in self._absences.values() for info in absence.infos]

    def join(self, entry: Entry, now: float) -> bool:
        """Take a client in, or what is told of it anew; return whether its join is told."""
        info = entry.info
        before = self.entries.get(info.client)
        self.entries[info.client] = entry
        if before is not None:
            self._forget(before.info.user)
        self.tally[info.user] = self.tally.get(info.user, 0) + 1
        if len(self.entries) > LISTED:
            self.crowd()
        absence = self._absences.get(info.user)
        if absence is not None:
            absence.due = None
        if not self._told or self.is_crowd or before is not None:
            return False
        return absence is None or now - absence.went >= AWAY_SECONDS

    def leave(self, client: str, now: float, *, at_once: bool = False) -> Departure:
        """
        Let a client go that is here.

        Args:
            client: its id.
            now: the time.
            at_once: it does not mean to come back, or nobody was told yet that it came.
        """
        info = self._remove(client)
        absence = self._absence_of(info)
        if absence is not None and not at_once:
            absence.went = now
        told = self._miss(info, absence, now + WRITTEN_SECONDS)
        is_expected = absence is not None and not at_once
        return Departure(told, Standing.EXPECTED if is_expected else Standing.GONE)

    def miss(self, info: ClientInfo, now: float) -> list[ClientInfo]:
        """Note that a client went with its gateway; return those whose leaves are told now."""
        return self._miss(info, self._absence_of(info), now)

    def expected(self, now: float) -> list[ClientInfo]:
        """Return a client of each user whose next join will not be told if it is soon."""
        return [
            absence.infos[-1]
            for user, absence in self._absences.items()
            if user not in self.tally and now - absence.went < AWAY_SECONDS
        ]

    def heard(self, user: str, now: float) -> None:
        """Note a user's join at another gateway: until it is written, nothing is settled."""
        absence = self._absences.get(user)
        if absence is not None and absence.due is not None:
            absence.due = now + SETTLE_SECONDS

    def due(self, now: float) -> list[str]:
        """Return the users of whom it must be asked now whether they are elsewhere."""
        return [
            user
            for user, absence in self._absences.items()
            if absence.due is not None and absence.due <= now
        ]

    def settle(self, user: str, now: float, *, is_elsewhere: bool) -> list[ClientInfo]:
        """Take the answer to `due`; return those whose leaves are told now."""
        absence = self._absences.get(user)
        if absence is None or absence.due is None or absence.due > now:
            # Back since the question was asked.
            return []
        if is_elsewhere:
            # The gateway where they are will tell only of the clients that it had.
            absence.due = now + AWAY_SECONDS
            return []
        del self._absences[user]
        return absence.infos

    def crowd(self) -> None:
        """Begin to tell how many are here, not who."""
        if self._told and not self.is_crowd:
            self.is_crowd = True
            self.counted = None
            self._absences.clear()

    def count(self, stats: Stats) -> bool:
        """Take how many are in the channel of a crowd; return whether that is told."""
        if not self.is_crowd:
            return False
        changed, self.counted = stats != self.counted, stats
        if max(stats.num_clients, len(self.entries)) <= RELISTED:
            self.is_crowd = False
            return True
        return changed

    def _remove(self, client: str) -> ClientInfo:
        info = self.entries.pop(client).info
        self._forget(info.user)
        return info

    def _forget(self, user: str) -> None:
        self.tally[user] -= 1
        if not self.tally[user]:
            del self.tally[user]

    def _absence_of(self, info: ClientInfo) -> _Absence | None:
        if not self._told or self.is_crowd or not info.user:
            return None
        return self._absences.setdefault(info.user, _Absence())

    def _miss(self, info: ClientInfo, absence: _Absence | None, due: float) -> list[ClientInfo]:
        if absence is None:
            return [info] if self._told and not self.is_crowd else []
        if len(absence.infos) == TABS:
            del absence.infos[1]
        absence.infos.append(info)
        self._put_off(info.user, absence, due)
        return []

    def _put_off(self, user: str, absence: _Absence, due: float) -> None:
        """Settle a user's absence then, but not before they had the time to come back."""
        is_here = user in self.tally
        absence.due = None if is_here else max(due, absence.went + SETTLE_SECONDS)


def shown(here: Roster | None, elsewhere: Attendance, now: float) -> dict[str, ClientInfo]:
    """
    Return the clients of a channel as joins and leaves tell of them, by their ids.

    Args:
        here: the clients at this gateway.
        elsewhere: those of the others, as the database has them.
        now: the time.
    """
    found = dict(elsewhere.present)
    expected = elsewhere.expected
    if here is not None:
        found |= {client: entry.info for client, entry in here.entries.items()}
        expected = expected + here.expected(now)
    if expected:
        users = {info.user for info in found.values()}
        found |= {info.client: info for info in expected if info.user not in users}
    return found
