"""Leases, and what is written under them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from shared.presence.actions import Turn, do_begin, do_end, do_sweep, do_write
from shared.presence.clients import ClientInfo, Standing
from shared.presence.models import Lease, PresentClient
from shared.presence.queries import members
from tests.shared.presence.leases import Writer, here, left
from tests.shared.threads import run_together

pytestmark = pytest.mark.django_db


def test_what_is_written_is_told() -> None:
    """A client's row has all that others are told of it, and when it came."""
    info = {"conn_info": '{"name":"Zoë \\u0000 \\""}', "chan_info": "[1]"}
    Writer("g", here("chat:a", "c1", 7, **info), here("chat:a", "c2"), here("chat:b", "c1", 7))
    assert members("chat:a") == {
        "c1": ClientInfo("c1", "7", '{"name":"Zoë \\u0000 \\""}', "[1]"),
        "c2": ClientInfo("c2", ""),
    }
    row = PresentClient.objects.get(channel="chat:b")
    assert (row.account, row.since) == (7, datetime.fromtimestamp(1_800_000_000, UTC))


def test_changes_are_written_together() -> None:
    """One that left is gone, one that came is there, and of one something else is told."""
    writer = Writer("g", here("chat:a", "c1", 1), here("chat:a", "c2", 2, conn_info="1"))
    assert writer.write(
        left("chat:a", "c1", 1), here("chat:a", "c3", 3), here("chat:a", "c2", 2, conn_info="2")
    )
    assert members("chat:a") == {
        "c2": ClientInfo("c2", "2", "2"),
        "c3": ClientInfo("c3", "3"),
    }


def test_coming_back_to_a_channel() -> None:
    """The same client may leave a channel and subscribe to it again."""
    writer = Writer("g", here("chat:a", "c1", 1))
    writer.write(left("chat:a", "c1", 1))
    assert members("chat:a") == {}
    writer.write(here("chat:a", "c1", 1))
    assert set(members("chat:a")) == {"c1"}


def test_a_dead_lease_counts_for_nothing_when_read() -> None:
    """Thirty seconds without a beat end a gateway's clients, although nobody deleted them."""
    dying, living = Writer("a", here("chat:a", "c1", 1)), Writer("b", here("chat:a", "c2", 2))
    dying.age(29)
    assert set(members("chat:a")) == {"c1", "c2"}
    dying.age(31)
    assert set(members("chat:a")) == {"c2"}
    assert PresentClient.objects.count() == 2
    living.age(31)
    assert members("chat:a") == {}


def test_a_beat_alone_keeps_the_lease() -> None:
    """A gateway where nothing happens writes nothing, and its clients stay."""
    writer = Writer("g", here("chat:a", "c1", 1))
    writer.age(31)
    assert writer.write()
    assert set(members("chat:a")) == {"c1"}


def test_a_dead_gateway_is_swept() -> None:
    """Its rows go when its people had time to come back, and those who sweep know who was there."""
    dying = Writer("a", here("chat:a", "c1", 1, chan_info="1"), here("chat:b", "c1", 1))
    living = Writer("b", here("chat:a", "c2", 2))
    dying.age(41)
    assert do_sweep() == []
    dying.age(43)
    assert sorted(do_sweep()) == [
        ("chat:a", ClientInfo("c1", "1", None, "1")),
        ("chat:b", ClientInfo("c1", "1")),
    ]
    assert do_sweep() == []
    assert set(PresentClient.objects.values_list("lease", flat=True)) == {living.incarnation}
    assert set(Lease.objects.values_list("pk", flat=True)) == {living.incarnation}


def test_those_who_left_are_forgotten() -> None:
    """Their rows go after a minute, and the others' stay."""
    writer = Writer("g", here("chat:a", "c1", 1), here("chat:a", "c2", 2), here("chat:a", "c3", 3))
    writer.write(left("chat:a", "c1", 1), left("chat:a", "c2", 2))
    old = Now() - timedelta(seconds=61)
    PresentClient.objects.filter(client="c1").update(left_at=old)
    assert do_sweep() == []
    assert sorted(PresentClient.objects.values_list("client", flat=True)) == ["c2", "c3"]


def test_one_that_was_swept_finds_its_lease_gone() -> None:
    """A gateway that was taken for dead writes nothing until it has its lease back."""
    writer = Writer("g", here("chat:a", "c1", 1))
    writer.age(60)
    do_sweep()
    assert not writer.write(here("chat:a", "c2", 2))
    assert PresentClient.objects.count() == 0
    entries = [here("chat:a", "c1", 1), here("chat:a", "c2", 2)]
    assert do_begin(writer.turn(), "g", entries, is_new=False)
    assert set(members("chat:a")) == {"c1", "c2"}


def test_a_gateway_that_starts_again_ends_its_old_clients() -> None:
    """Whom it had before its restart is not there anymore, without waiting for thirty seconds."""
    Writer("a", here("chat:a", "c1", 1))
    Writer("b", here("chat:a", "c2", 2))
    Writer("a", here("chat:a", "c3", 3))
    assert set(members("chat:a")) == {"c2", "c3"}


def test_two_processes_of_one_name() -> None:
    """An old process that is alive beside its successor is there again with its next write."""
    old = Writer("a", here("chat:a", "c1", 1))
    new = Writer("a", here("chat:a", "c2", 2))
    assert old.write()
    assert new.write()
    assert set(members("chat:a")) == {"c1", "c2"}


def test_taking_the_lease_back_clears_what_was_there() -> None:
    """What a gateway does not have anymore does not stay with it."""
    writer = Writer("g", here("chat:a", "c1", 1))
    assert do_begin(writer.turn(), "g", [here("chat:a", "c2", 2)], is_new=False)
    assert set(members("chat:a")) == {"c2"}


def test_a_gateway_that_ends_gives_its_clients_up() -> None:
    """They are gone at once, and whoever left just before is left to the one that sweeps."""
    writer = Writer("g", here("chat:a", "c1", 1))
    do_end(writer.turn(), [here("chat:a", "c2", 2)])
    assert members("chat:a") == {}
    assert do_sweep() == []
    writer.age(43)
    assert {info.client for _, info in do_sweep()} == {"c1", "c2"}


def test_a_write_that_runs_late_takes_no_effect() -> None:
    """One that was given up, and was repeated since, does not bring back who has left."""
    Writer("g")
    first, second = Turn("x", 2, 1), Turn("x", 3, 1)
    assert do_begin(Turn("x", 1, 0), "g", [], is_new=False)
    assert do_write(second, [left("chat:a", "c1", 1)])
    assert not do_write(first, [here("chat:a", "c1", 1)])
    assert not do_begin(first, "g", [here("chat:a", "c1", 1)], is_new=False)
    assert members("chat:a") == {}


def test_a_write_of_which_nobody_knows_whether_it_ran() -> None:
    """It is repeated under another number, whether it took effect or not."""
    assert do_begin(Turn("x", 1, 0), "g", [], is_new=False)
    assert do_write(Turn("x", 2, 1), [here("chat:a", "c1", 1)])
    assert do_write(Turn("x", 3, 1), [here("chat:a", "c1", 1)])
    assert do_write(Turn("x", 5, 3), [])
    assert set(members("chat:a")) == {"c1"}


def test_a_database_that_went_back_in_time() -> None:
    """A gateway that finds an older state of its rows than it wrote has lost its lease."""
    writer = Writer("g", here("chat:a", "c1", 1))
    dump = list(Lease.objects.values()), list(PresentClient.objects.values())
    writer.write(left("chat:a", "c1", 1))
    PresentClient.objects.all().delete()
    Lease.objects.all().delete()
    Lease.objects.bulk_create(Lease(**values) for values in dump[0])
    PresentClient.objects.bulk_create(PresentClient(**values) for values in dump[1])
    assert set(members("chat:a")) == {"c1"}
    assert not writer.write()
    assert do_begin(writer.turn(), "g", [], is_new=False)
    assert members("chat:a") == {}


@pytest.mark.django_db(transaction=True)
def test_gateways_that_write_and_sweep_at_once() -> None:
    """Four write, four sweep, all as fast as they can: nobody waits in a circle, nobody loses."""
    writers = [Writer(f"g{n}") for n in range(4)]

    def write(n: int) -> None:
        for turn in range(15):
            entries = [here("chat:a", f"{n}-{turn}-{i}", n) for i in range(20)]
            assert writers[n].write(*entries)
            assert writers[n].write(
                *[entry._replace(standing=Standing.GONE) for entry in entries[:10]]
            )

    def sweep() -> None:
        for _ in range(15):
            PresentClient.objects.filter(left_at__isnull=False, user_id="1").update(
                left_at=Now() - timedelta(seconds=61)
            )
            assert do_sweep() == []

    run_together(*[lambda n=n: write(n) for n in range(4)], sweep, sweep)
    assert len(members("chat:a")) == 4 * 15 * 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.servers
def test_sweeping_does_not_wait_for_a_write(on_postgresql: None) -> None:
    """A lease that is being renewed at this moment is not dead, however old it was before."""
    writer = Writer("g", here("chat:a", "c1", 1))
    writer.age(60)
    locked, done = threading.Event(), threading.Event()

    def renew() -> None:
        with transaction.atomic():
            assert writer.write(here("chat:a", "c2", 2))
            locked.set()
            assert done.wait(10)

    def sweep() -> None:
        assert locked.wait(10)
        try:
            assert do_sweep() == []
        finally:
            done.set()

    run_together(renew, sweep)
    assert set(members("chat:a")) == {"c1", "c2"}


@pytest.mark.servers
def test_presence_is_kept_out_of_the_write_ahead_log(on_postgresql: None) -> None:
    """On PostgreSQL both tables are unlogged: no write of them waits for the disk."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'")
        unlogged = {row[0] for row in cursor.fetchall()}
    assert unlogged >= {"presence_lease", "presence_presentclient"}
