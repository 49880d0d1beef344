"""Which joins and leaves are told, so that those who watch see people, not connections."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.gateway.roster import LISTED, RELISTED, TABS, Roster, shown
from shared.presence.clients import (
    AWAY_SECONDS,
    EXPECTED_SECONDS,
    SETTLE_SECONDS,
    Attendance,
    ClientInfo,
    Entry,
    Standing,
    Stats,
)


def entry(client: str, user: str) -> Entry:
    return Entry("chat:a", ClientInfo(client, user), 0.0)


def clients(infos: Iterable[ClientInfo]) -> list[str]:
    return [info.client for info in infos]


def gone(roster: Roster, now: float, *elsewhere: str) -> list[str]:
    """Settle what is due; return the clients whose leaves are told."""
    told: list[ClientInfo] = []
    for user in roster.due(now):
        told += roster.settle(user, now, is_elsewhere=user in elsewhere)
    return clients(told)


def test_coming_and_going() -> None:
    """A join is told, a leave when it is sure."""
    roster = Roster()
    assert roster.join(entry("c1", "ann"), 0)
    assert roster.leave("c1", 100) == ([], Standing.EXPECTED)
    assert gone(roster, 113.9) == []
    assert gone(roster, 114) == ["c1"]
    assert roster.is_idle


def test_reload() -> None:
    """Whoever is back within ten seconds was never away; in the end both clients leave."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    roster.leave("c1", 100)
    assert not roster.join(entry("c2", "ann"), 109.9)
    assert gone(roster, 200) == []
    roster.leave("c2", 200)
    assert gone(roster, 214) == ["c1", "c2"]


def test_back_after_longer() -> None:
    """Later than that, the join is told; the leave only if it was sure by then."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    roster.leave("c1", 100)
    assert roster.join(entry("c2", "ann"), 111)
    assert gone(roster, 114) == []
    roster.leave("c2", 200)
    assert gone(roster, 214) == ["c1", "c2"]
    assert roster.join(entry("c3", "ann"), 215)


def test_two_tabs() -> None:
    """Whoever closes one of two tabs has not left; the second join is told nevertheless."""
    roster = Roster()
    assert roster.join(entry("c1", "ann"), 0)
    assert roster.join(entry("c2", "ann"), 50)
    roster.leave("c1", 100)
    assert gone(roster, 150) == []
    roster.leave("c2", 200)
    assert gone(roster, 214) == ["c1", "c2"]


def test_a_tab_at_another_gateway() -> None:
    """Nobody has left who has a client elsewhere; it is asked again until they have none."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    roster.leave("c1", 100)
    assert gone(roster, 114, "ann") == []
    assert roster.due(123) == []
    assert gone(roster, 124, "ann") == []
    assert gone(roster, 134) == ["c1"]


def test_back_while_the_database_is_asked() -> None:
    """An answer that comes too late tells nothing."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    roster.leave("c1", 100)
    assert roster.due(114) == ["ann"]
    roster.join(entry("c2", "ann"), 114)
    assert roster.settle("ann", 114, is_elsewhere=False) == []


def test_heard_of_elsewhere_while_the_database_is_asked() -> None:
    """Who is heard of at another gateway is not settled on an older answer."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    roster.leave("c1", 100)
    assert roster.due(114) == ["ann"]
    roster.heard("ann", 114)
    assert roster.settle("ann", 114, is_elsewhere=False) == []
    assert roster.due(127) == []
    assert gone(roster, 128, "ann") == []


def test_unsubscribing() -> None:
    """Whoever says that they go is gone as soon as other gateways have written."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    assert roster.leave("c1", 100, at_once=True) == ([], Standing.GONE)
    assert roster.expected(100) == []
    assert gone(roster, 101) == []
    assert roster.due(102) == ["ann"]
    assert gone(roster, 102) == ["c1"]
    assert roster.join(entry("c1", "ann"), 103)


def test_unsubscribing_while_another_tab_reloads() -> None:
    """What one client says is nothing that another has said."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    roster.join(entry("c2", "ann"), 0)
    roster.leave("c1", 100)
    roster.leave("c2", 101, at_once=True)
    assert gone(roster, 113) == []
    assert not roster.join(entry("c3", "ann"), 109)


def test_anonymous_clients() -> None:
    """Nobody can tell whether an anonymous client is back: joins and leaves are told at once."""
    roster = Roster()
    assert roster.join(entry("c1", ""), 0)
    assert roster.leave("c1", 100) == ([ClientInfo("c1", "")], Standing.GONE)
    assert roster.join(entry("c2", ""), 101)
    assert clients(roster.miss(ClientInfo("c3", ""), 102)) == ["c3"]
    assert not roster.is_waiting


def test_the_same_client_again() -> None:
    """What is told of a client may change; it has not joined twice."""
    roster = Roster()
    assert roster.join(entry("c1", "ann"), 0)
    assert not roster.join(entry("c1", "ann"), 1)
    assert roster.tally == {"ann": 1}
    roster.leave("c1", 3)
    assert roster.tally == {}


def test_a_gateway_that_died() -> None:
    """Its clients leave, unless their users are here or elsewhere."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    for client, user in (("x1", "ann"), ("x2", "bob"), ("x3", "cyd")):
        assert roster.miss(ClientInfo(client, user), 100) == []
    assert gone(roster, 100, "cyd") == ["x2"]
    roster.leave("c1", 101)
    assert gone(roster, 115) == ["x1", "c1", "x3"]


def test_a_gateway_that_died_while_somebody_reloads() -> None:
    """Who has just left here has the time to come back all the same."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    roster.leave("c1", 100)
    roster.miss(ClientInfo("x1", "ann"), 101)
    assert gone(roster, 113) == []
    assert gone(roster, 114) == ["c1", "x1"]


def test_somebody_who_reloads_all_day() -> None:
    """What waits to be told of one user is bounded; the join that was told is remembered."""
    roster = Roster()
    assert roster.join(entry("c0", "ann"), 0)
    for n in range(500):
        roster.leave(f"c{n}", n * 20)
        assert not roster.join(entry(f"c{n + 1}", "ann"), n * 20 + 1)
    roster.leave("c500", 20_000)
    told = gone(roster, 20_000 + SETTLE_SECONDS)
    assert len(told) == TABS
    assert (told[0], told[-1]) == ("c0", "c500")


def test_asking_during_a_reload() -> None:
    """Whose return would not be told is shown meanwhile, by one of their clients."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    roster.leave("c1", 100)
    nobody = Attendance({}, [])
    assert set(shown(roster, nobody, 109)) == {"c1"}
    assert set(shown(roster, nobody, 110)) == set()
    anns = ClientInfo("x1", "ann")
    assert set(shown(roster, Attendance({"x1": anns}, []), 109)) == {"x1"}
    assert set(shown(None, Attendance({}, [anns]), 109)) == {"x1"}
    roster.join(entry("c2", "ann"), 109)
    assert set(shown(roster, Attendance({}, [anns]), 109)) == {"c2"}


def test_crowd() -> None:
    """With more than two hundred nobody is told who, but how many; until there are few again."""
    roster = Roster()
    joins = [roster.join(entry(f"c{n}", f"u{n}"), 0) for n in range(LISTED + 1)]
    assert joins == [True] * LISTED + [False]
    assert roster.is_crowd
    assert roster.leave("c0", 1) == ([], Standing.GONE)
    assert not roster.is_waiting
    assert roster.count(Stats(200, 200))
    assert not roster.count(Stats(200, 200))
    assert roster.count(Stats(201, 200))
    for n in range(1, LISTED + 1 - RELISTED):
        roster.leave(f"c{n}", 2)
    assert roster.count(Stats(RELISTED + 1, 151))
    assert roster.is_crowd
    assert roster.count(Stats(RELISTED, 150))
    assert not roster.is_crowd
    assert not roster.count(Stats(RELISTED, 150))
    assert roster.join(entry("c0", "u0"), 3)


def test_crowd_of_another_gateway() -> None:
    """A few clients here may be part of a crowd; leaves that wait are not told anymore."""
    roster = Roster()
    roster.join(entry("c1", "ann"), 0)
    roster.join(entry("c2", "bob"), 0)
    roster.leave("c1", 1)
    roster.crowd()
    assert gone(roster, 100) == []
    assert not roster.join(entry("c3", "cyd"), 2)
    assert roster.miss(ClientInfo("x", ""), 2) == []


def test_channel_of_which_nothing_is_told() -> None:
    """Its clients are known, and no more."""
    roster = Roster(told=False)
    assert not any(roster.join(entry(f"c{n}", "ann"), 0) for n in range(300))
    assert roster.leave("c0", 1) == ([], Standing.GONE)
    roster.crowd()
    assert not roster.is_crowd
    assert not roster.is_waiting
    assert len(roster.entries) == 299


USERS = ("ann", "bob")
GATEWAYS = 2
# Around the moments at which something is decided.
SECONDS = (1, 1, 1, 2, 7, 8, 9, 10, 11, 12, 13)


class People(RuleBasedStateMachine):
    """
    Users come and go at two gateways, which write to one database once a second.

    Watched by somebody who keeps the users of joins and leaves, and by some who keep clients by
    their ids: from the beginning, or since they asked one of the gateways for presence.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.made = 0
        self.rosters = [Roster() for _ in range(GATEWAYS)]
        # What is in the database: by client its user, its gateway, and when it left.
        self.rows: dict[str, tuple[str, int, float | None]] = {}
        # What is not written yet.
        self.unwritten: list[dict[str, tuple[str, Standing]]] = [{} for _ in range(GATEWAYS)]
        self.joins: set[str] = set()
        self.users_seen: set[str] = set()
        self.clients_seen: list[dict[str, str]] = [{}]
        # Until when each user's return is none.
        self.awaited: dict[str, float] = {}

    @property
    def present(self) -> dict[str, str]:
        return {c: e.info.user for r in self.rosters for c, e in r.entries.items()}

    @rule(user=st.sampled_from(USERS), gateway=st.integers(0, GATEWAYS - 1))
    def come(self, user: str, gateway: int) -> None:
        self.made += 1
        client = f"c{self.made}"
        self.unwritten[gateway][client] = user, Standing.HERE
        if self.rosters[gateway].join(entry(client, user), self.now):
            self.joins.add(client)

    @precondition(lambda self: self.present)
    @rule(data=st.data(), gateway=st.integers(0, GATEWAYS - 1), asked=st.booleans())
    def reload(self, data: st.DataObject, gateway: int, asked: bool) -> None:
        """One goes and comes back, and somebody may ask in between."""
        client = data.draw(st.sampled_from(sorted(self.present)))
        user = self.present[client]
        self.leave(client, at_once=False)
        self.ticks(data.draw(st.sampled_from(SECONDS)), list(range(GATEWAYS)))
        if asked:
            self.ask(data.draw(st.integers(0, GATEWAYS - 1)))
        self.come(user, gateway)

    @precondition(lambda self: self.present)
    @rule(data=st.data(), at_once=st.booleans())
    def go(self, data: st.DataObject, at_once: bool) -> None:
        self.leave(data.draw(st.sampled_from(sorted(self.present))), at_once)

    def leave(self, client: str, at_once: bool) -> None:
        gateway = next(n for n, r in enumerate(self.rosters) if client in r.entries)
        user, roster = self.present[client], self.rosters[gateway]
        if client in self.joins:
            self.joins.discard(client)
            at_once = True
        if not at_once:
            self.awaited[user] = self.now + AWAY_SECONDS
        told, standing = roster.leave(client, self.now, at_once=at_once)
        assert told == []
        self.unwritten[gateway][client] = user, standing

    @rule(moment=st.floats(0.05, 0.95))
    def wait(self, moment: float) -> None:
        self.now = int(self.now) + max(self.now % 1, moment)

    @rule(seconds=st.sampled_from(SECONDS), order=st.permutations(range(GATEWAYS)))
    def ticks(self, seconds: int, order: list[int]) -> None:
        for _ in range(seconds):
            self.now = int(self.now) + 1.0
            for gateway in order:
                self.tick(gateway)

    @rule(gateway=st.integers(0, GATEWAYS - 1))
    def ask(self, gateway: int) -> None:
        elsewhere = Attendance({}, [])
        for client, (user, where, left_at) in self.rows.items():
            if where != gateway and left_at is None:
                elsewhere.present[client] = ClientInfo(client, user)
            elif where != gateway and left_at > self.now - EXPECTED_SECONDS:
                elsewhere.expected.append(ClientInfo(client, user))
        found = shown(self.rosters[gateway], elsewhere, self.now)
        self.clients_seen.append({client: info.user for client, info in found.items()})
        if len(self.clients_seen) > 10:
            del self.clients_seen[1]

    def tick(self, gateway: int) -> None:
        roster = self.rosters[gateway]
        for client, (user, standing) in self.unwritten[gateway].items():
            left_at = {
                Standing.HERE: None,
                Standing.EXPECTED: self.now,
                Standing.GONE: self.now - EXPECTED_SECONDS,
            }[standing]
            self.rows[client] = user, gateway, left_at
            if client in self.joins:
                self.joins.discard(client)
                self.users_seen.add(user)
                for seen in self.clients_seen:
                    seen[client] = user
        self.unwritten[gateway].clear()
        for user in roster.due(self.now):
            is_elsewhere = any(
                whose == user
                and where != gateway
                and (left_at is None or left_at > self.now - EXPECTED_SECONDS)
                for whose, where, left_at in self.rows.values()
            )
            told = roster.settle(user, self.now, is_elsewhere=is_elsewhere)
            assert not told or self.now >= self.awaited.get(user, 0)
            for info in told:
                self.users_seen.discard(info.user)
                for seen in self.clients_seen:
                    seen.pop(info.client, None)

    @invariant()
    def everybody_who_is_here_is_seen(self) -> None:
        unwritten = {client for changes in self.unwritten for client in changes}
        here = {user for client, user in self.present.items() if client not in unwritten}
        assert here <= self.users_seen
        for seen in self.clients_seen:
            assert here <= set(seen.values())

    def teardown(self) -> None:
        """When nothing happens for a while, exactly those who are here are seen."""
        self.ticks(60, list(range(GATEWAYS)))
        here = set(self.present.values())
        assert self.users_seen == here
        for seen in self.clients_seen:
            assert set(seen.values()) == here


TestPeople = People.TestCase
TestPeople.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
