"""
Presence: who is in which channel, told by this gateway and to it.

Joins and leaves are told by the gateway where they happen, for all gateways to hear; those of a
gateway that died by the one that deletes its rows. Crowds (see `roster`) are counted by each
gateway for its own subscribers. All of this is best effort: whoever must be sure asks for presence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice

from services.gateway.batches import Batch
from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.lease import BEAT_SECONDS, Lease
from services.gateway.roster import LISTED, Roster, shown
from shared.presence import queries
from shared.presence.actions import do_sweep
from shared.presence.clients import Attendance, ClientInfo, Entry, Stats

__all__ = ["Crowd", "Presence"]

_TICK_SECONDS = 1.0
# After an outage the others' leases may look dead although they only had no time to renew them.
_DOUBT_SECONDS = 15.0
_QUESTIONS = 1_000
# A count that takes long is made less often: at most a sixth of the time goes into counting.
_COUNT_PAUSE = 5.0


class Crowd(Exception):
    """There are too many clients in a channel to list them; how many, `stats` tells."""


class Presence:
    """The clients of this gateway in their channels, and how to ask for those of all gateways."""

    def __init__(
        self,
        database: DatabaseThreads,
        gateway_id: str,
        *,
        is_told: Callable[[str], bool] = lambda channel: True,
        on_join: Callable[[str, ClientInfo], None] = lambda channel, info: None,
        on_leave: Callable[[str, ClientInfo], None] = lambda channel, info: None,
        on_count: Callable[[str, int, int], None] = lambda channel, clients, users: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Take where to write, and whom to tell. The callbacks neither wait nor raise.

        Args:
            database: this gateway's database threads.
            gateway_id: its name.
            is_told: whether joins and leaves are told in a channel; it must not change its mind.
            on_join: to be told to all gateways' subscribers of a channel.
            on_leave: as above.
            on_count: how many clients and users are in a crowded channel, to be told to this
                gateway's subscribers; the other gateways count by themselves.
            clock: seconds that never go back.
        """
        self._database = database
        self._is_told, self._clock = is_told, clock
        self._on_join, self._on_leave, self._on_count = on_join, on_leave, on_count
        self._lease = Lease(database, gateway_id, self._entries, clock)
        self._rosters: dict[str, Roster] = {}
        # By channel and client: joins that are told when they are written.
        self._joins: set[tuple[str, str]] = set()
        # Channels where leaves wait to be told, and those whose clients here are in a crowd.
        self._waiting: set[str] = set()
        self._crowds: set[str] = set()
        # Channels that were crowds when all were last looked at.
        self._crowded: set[str] = set()
        self._survey_due = self._count_due = 0.0
        # Until when others' leases are not judged.
        self._doubt_until = 0.0
        me = self._lease.incarnation
        self._attendances = Batch[str, Attendance](database, partial(_attendances, me))
        self._tallies = Batch[str, dict[str, int]](database, partial(_tallies, me))

    @property
    def incarnation(self) -> str:
        """What this process is known by, beside its lease."""
        return self._lease.incarnation

    def add(self, channel: str, client: ClientInfo) -> None:
        """
        Show a client in a channel; again, show what is told of it now.

        Call it when the subscribe reply was sent, in the same step. The join is told when the
        database has the client: so whoever begins to listen meanwhile learns of it one way or the
        other.

        Raises:
            ValueError: something of it cannot be stored.
        """
        roster = self._roster(channel)
        known = roster.entries.get(client.client)
        entry = Entry(channel, client, time.time() if known is None else known.since)
        try:
            entry.check()
            is_told = roster.join(entry, self._clock())
        finally:
            self._note(channel, roster)
        self._lease.note(entry)
        if is_told:
            self._joins.add((channel, client.client))

    def remove(self, channel: str, client_id: str, *, at_once: bool = False) -> None:
        """
        Show a client no more, and tell its leave when it is sure; one not shown changes nothing.

        Args:
            channel: where.
            client_id: its connection's id.
            at_once: it has unsubscribed, and will not be back in a moment.
        """
        roster = self._rosters.get(channel)
        if roster is None or client_id not in roster.entries:
            return
        entry, now = roster.entries[client_id], self._clock()
        if (channel, client_id) in self._joins:
            # Its user's next join has to be told: nobody heard of this one.
            self._joins.discard((channel, client_id))
            at_once = True
        left, standing = roster.leave(client_id, now, at_once=at_once)
        self._lease.note(entry._replace(standing=standing))
        self._note(channel, roster)
        self._tell_leaves(channel, left)

    def heard_join(self, channel: str, user: str) -> None:
        """Note that another gateway told of a user's join, before it could write it."""
        if (roster := self._rosters.get(channel)) is not None:
            roster.heard(user, self._clock())

    async def members(self, channel: str) -> dict[str, ClientInfo]:
        """
        Return the clients in a channel, at all gateways, by their ids.

        It agrees with the joins and leaves that are told: a user who may be back in a moment, of
        which nobody would be told, is in it by the client that they had.

        Raises:
            Crowd: more than `LISTED` are there.
            DatabaseAway: the others' cannot be read now.
        """
        if self._num_here(channel) > LISTED:
            raise Crowd
        # It was one a moment ago. What is read for counting is less than what is read for a list.
        if channel in self._crowded and (await self.stats(channel)).num_clients > LISTED:
            raise Crowd
        elsewhere = await self._attendances.ask(channel)
        if len(elsewhere.present) + self._num_here(channel) > LISTED:
            raise Crowd
        return shown(self._rosters.get(channel), elsewhere, self._clock())

    async def stats(self, channel: str) -> Stats:
        """
        Return how many clients and users are in a channel, at all gateways.

        Raises:
            DatabaseAway: the others' cannot be read now.
        """
        elsewhere = await self._tallies.ask(channel)
        here = self._rosters[channel].tally if channel in self._rosters else {}
        clients = sum(elsewhere.values()) + sum(here.values())
        return Stats(clients, len(elsewhere.keys() | here.keys()))

    async def run(self) -> None:
        """Do what is due once a second, for ever."""
        while True:
            started = time.monotonic()
            await self.tick()
            await asyncio.sleep(max(0.0, started + _TICK_SECONDS - time.monotonic()))

    async def tick(self) -> None:
        """Write what has changed, and do what else is due now."""
        try:
            self._tell_joins(await self._lease.write())
            if self._clock() >= self._doubt_until:
                await self._survey()
                await self._settle()
            await self._count()
        except DatabaseAway:
            self._doubt_until = self._clock() + _DOUBT_SECONDS

    async def end(self) -> None:
        """
        Show none of this gateway's clients anymore; when `run` was cancelled.

        Leaves that still wait are left to the gateway that deletes the rows.
        """
        now = time.time()
        await self._lease.end(
            [
                Entry(channel, info, now)
                for channel in self._waiting
                for info in self._rosters[channel].unsettled
            ]
        )

    async def _survey(self) -> None:
        """Now and then: delete dead gateways' rows, and find out which channels are crowds."""
        now = self._clock()
        if now < self._survey_due:
            return
        self._crowded = await self._database.run(queries.crowded_channels, LISTED)
        for channel in self._crowded & self._rosters.keys():
            self._rosters[channel].crowd()
            self._note(channel, self._rosters[channel])
        for channel, info in await self._database.write(do_sweep):
            roster = self._roster(channel)
            left = roster.miss(info, now)
            self._note(channel, roster)
            self._tell_leaves(channel, left)
        self._survey_due = now + BEAT_SECONDS

    async def _settle(self) -> None:
        """Ask for those who left and did not come back here, and tell who is gone."""
        now = self._clock()
        due = ((channel, user) for channel in self._waiting for user in self._due(channel, now))
        asked = list(islice(due, _QUESTIONS))
        if not asked:
            return
        elsewhere = await self._database.run(queries.users_in, asked, self._lease.incarnation)
        for channel, user in asked:
            if (roster := self._rosters.get(channel)) is not None:
                is_elsewhere = (channel, user) in elsewhere
                left = roster.settle(user, now, is_elsewhere=is_elsewhere)
                self._note(channel, roster)
                self._tell_leaves(channel, left)

    async def _count(self) -> None:
        """Tell how many are in the crowds, as the database has it."""
        started = self._clock()
        if not self._crowds or started < self._count_due:
            return
        found = await self._database.run(queries.stats_of, list(self._crowds))
        now = self._clock()
        self._count_due = now + (now - started) * _COUNT_PAUSE
        for channel, stats in found.items():
            if (roster := self._rosters.get(channel)) is not None and roster.count(stats):
                self._note(channel, roster)
                self._on_count(channel, stats.num_clients, stats.num_users)

    def _num_here(self, channel: str) -> int:
        return len(self._rosters[channel].entries) if channel in self._rosters else 0

    def _entries(self) -> Iterator[Entry]:
        for roster in self._rosters.values():
            yield from roster.entries.values()

    def _due(self, channel: str, now: float) -> list[str]:
        return self._rosters[channel].due(now)

    def _roster(self, channel: str) -> Roster:
        roster = self._rosters.get(channel)
        if roster is None:
            roster = self._rosters[channel] = Roster(told=self._is_told(channel))
            if channel in self._crowded:
                roster.crowd()
        return roster

    def _note(self, channel: str, roster: Roster) -> None:
        """Remember what there is to do for a channel from now on."""
        _keep(self._waiting, channel, wanted=roster.is_waiting)
        _keep(self._crowds, channel, wanted=roster.is_crowd and bool(roster.entries))
        if roster.is_idle:
            del self._rosters[channel]

    def _tell_joins(self, written: Sequence[Entry]) -> None:
        for channel, info, _, _ in written:
            if (channel, info.client) in self._joins:
                self._joins.discard((channel, info.client))
                if not self._rosters[channel].is_crowd:
                    self._on_join(channel, self._rosters[channel].entries[info.client].info)

    def _tell_leaves(self, channel: str, left: Sequence[ClientInfo]) -> None:
        for info in left:
            self._on_leave(channel, info)


def _keep(channels: set[str], channel: str, *, wanted: bool) -> None:
    if wanted:
        channels.add(channel)
    else:
        channels.discard(channel)


def _attendances(incarnation: str, channels: Sequence[str]) -> list[Attendance]:
    found = queries.attendance_of(set(channels), but=incarnation)
    return [found[channel] for channel in channels]


def _tallies(incarnation: str, channels: Sequence[str]) -> list[dict[str, int]]:
    found = queries.tallies_of(set(channels), but=incarnation)
    return [found[channel] for channel in channels]
