"""The database is backed up, lost and restored as docs/backup.md says."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.client import Session
from tests.integration.recipes import Backup
from tests.integration.traffic import fresh_room, open_chat, pumping
from tests.sdk.js_client import JsDriver
from tests.sdk.trials.restore import restore_old_dump
from tests.servers import RunningStack

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]

# So slow that there is time to look at what the backup holds: the cluster has some 60 MB.
RATE = "16M"
LEAST_LOOKS = 10

# The oldest transaction that anybody keeps dead rows for, as old as it is in transactions: of
# sessions, backups and standbys, in slots, and those that were prepared and never ended. Not of
# autovacuum, which analyses tables whether or not there is a backup.
_OLDEST = """
    SELECT coalesce(max(age(x)), 0) FROM (
        SELECT backend_xmin FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
        UNION ALL SELECT xmin FROM pg_replication_slots
        UNION ALL SELECT catalog_xmin FROM pg_replication_slots
        UNION ALL SELECT transaction FROM pg_prepared_xacts
    ) AS kept(x)
"""
_SENDERS = """
    SELECT count(*), count(backend_xmin) FROM pg_stat_replication
    WHERE application_name = 'pg_basebackup'
"""
_NOW = "SELECT txid_snapshot_xmin(txid_current_snapshot())"


@dataclass
class Watch:
    """
    What the primary kept while it was looked at.

    Attributes:
        looks: how often somebody looked while a backup was being sent.
        holders: how many of its senders had a snapshot.
        oldest: the age of the oldest kept transaction at each look, in transactions.
        passed: how many transactions there were meanwhile.
    """

    looks: int = 0
    holders: int = 0
    oldest: list[int] = field(default_factory=list)
    passed: int = 0


def connect(backup: Backup) -> psycopg.Connection:
    """Connect to the primary as its superuser, who sees what everybody does."""
    env = backup.environment
    place = f"host={env['PGHOST']} port={env['PGPORT']} dbname=carillon user={env['PGUSER']}"
    return psycopg.connect(place, password=env["PGPASSWORD"], autocommit=True)


def number(connection: psycopg.Connection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def watching(backup: Backup) -> Iterator[Watch]:
    """Look at the primary again and again."""
    watch = Watch()
    ended = threading.Event()
    with connect(backup) as connection:

        def look() -> None:
            while not ended.is_set():
                row = connection.execute(_SENDERS).fetchone()
                assert row is not None
                if row[0]:
                    watch.looks += 1
                    watch.holders += row[1]
                    watch.oldest.append(number(connection, _OLDEST))
                time.sleep(0.05)

        first = number(connection, _NOW)
        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield watch
        finally:
            ended.set()
            thread.join()
            watch.passed = number(connection, _NOW) - first


@contextmanager
def keeping_a_snapshot(backup: Backup) -> Iterator[Callable[[], int]]:
    """Be a dump; give what says how old the oldest kept transaction is."""
    with connect(backup) as dump, connect(backup) as looker:
        dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        dump.execute("SELECT 1")
        yield lambda: number(looker, _OLDEST)
        dump.execute("ROLLBACK")


def back_up_again(backup: Backup) -> None:
    """Back up a restored server for two nights; no file of the log is kept that nobody needs."""
    assert "recovery_target" not in (backup.data / "postgresql.auto.conf").read_text()
    backup.begin_anew()
    backup.take()
    backup.begin_file()
    backup.take()
    backup.wait_for_receiver()
    logs = [name for name in backup.log_files() if not name.endswith(".history")]
    assert logs[0] == backup.first_needed("base.old") < backup.first_needed("base")
    lost = sorted(path.name for path in backup.folder.glob("before-*/*"))
    assert lost == ["base", "wal"]


async def test_backup_holds_no_snapshot(stack: RunningStack) -> None:
    """While it runs, and however long it does, what is dead can be removed from hot tables."""
    alice = Session(stack.url, "alice")
    backup = Backup(stack)
    try:
        await asyncio.to_thread(backup.prepare)
        async with open_chat(alice, stack.gateway_url(1), fresh_room(alice)) as speaker:
            with watching(backup) as watch:
                async with pumping(speaker, per_second=15):
                    began = time.monotonic()
                    await asyncio.to_thread(backup.take, RATE=RATE)
                    seconds = time.monotonic() - began
            # What this looks at does see somebody who keeps a snapshot, as a dump would.
            with keeping_a_snapshot(backup) as looks:
                await speaker.send(message="one more")
                await speaker.wait_for(lambda c: "one more" in c.texts)
                assert looks() > 0
        print(
            f"a backup of {seconds:.1f} s: {watch.looks} looks, {watch.passed} transactions, "
            f"the oldest kept one at most {max(watch.oldest)} old"
        )
        assert watch.looks >= LEAST_LOOKS
        assert watch.holders == 0
        # As old as it gets without a backup: a transaction lasts some milliseconds here.
        assert max(watch.oldest) < watch.passed / 4
        assert sorted(watch.oldest)[len(watch.oldest) // 2] <= 5
    finally:
        backup.forget()


async def test_lost_database(stack: RunningStack) -> None:
    """
    Killed, its files removed, restored to a moment before the last messages.

    Each channel of each client of both SDKs is told `recovered: false`: of those that stayed
    connected, and of those that were away since before the backup, or since after that moment.
    Nothing of the restore is left in the server's settings, and it is backed up again.
    """
    backup = Backup(stack)
    moment = ""

    def take(_: RunningStack, __: Path) -> None:
        nonlocal moment
        backup.prepare()
        backup.take()
        moment = backup.psql("SELECT clock_timestamp()").strip()

    def lose_and_restore(_: RunningStack, __: Path) -> None:
        # The log of this life goes on in files that the next one never has.
        backup.begin_file()
        backup.wait_for_receiver()
        stack.server("postgresql").kill()
        shutil.rmtree(backup.data)
        backup.restore(moment)

    try:
        async with JsDriver() as driver:
            found = await restore_old_dump(
                stack, driver, stack.state, dump_with=take, restore_with=lose_and_restore
            )
        await asyncio.to_thread(back_up_again, backup)
    finally:
        backup.forget()
    assert (found.silent, found.wrong) == ([], [])
    # A room, one's own channel and the announcements, for each of six clients.
    assert found.told == 18
