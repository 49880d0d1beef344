"""Commands as the documentation has them, run as it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.stack.postgresql import ACCOUNT, SUPERUSER, as_account
from deploy.stack.programs import postgresql_folder
from tests.servers import RunningStack

__all__ = ["Backup", "commands"]

DOCS = Path(__file__).resolve().parents[2] / "docs"


def commands(page: str, heading: str) -> list[str]:
    """Return the shell blocks of one heading of a page, in their order."""
    text = (DOCS / page).read_text()
    _, found, rest = text.partition(f"# {heading}\n")
    assert found, f"{page} has no heading {heading!r}"
    section = re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    assert blocks, f"{page} has no commands below {heading!r}"
    return blocks


class Backup:
    """docs/backup.md on a running stack, with the account that the database runs under."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        layout = stack.stack.layout
        self.folder = stack.state / "backup"
        self.data = (stack.state / "postgresql").resolve() / "data"
        programs = postgresql_folder()
        assert programs is not None
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(layout.postgresql),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": stack.stack.credentials.superuser,
            "BACKUP": str(self.folder),
            "PGDATA": str(self.data),
        }
        self._receiver: subprocess.Popen[str] | None = None
        self._receiver_log = self.folder / "receiver.log"

    def prepare(self) -> None:
        """Do what is done once, and start what runs all the time."""
        self.folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, ACCOUNT, ACCOUNT)
        [once] = commands("backup.md", "Once")
        self.run(once)
        [always] = commands("backup.md", "All the time")
        with self._receiver_log.open("a") as log:
            self._receiver = subprocess.Popen(
                self._words(always), env=self.environment, text=True, stderr=log
            )

    def begin_anew(self) -> None:
        """Do what follows a restore, up to the first night."""
        [put_away] = commands("backup.md", "Anew")
        self.run(put_away)
        self.prepare()

    def take(self, **environment: str) -> None:
        """Do what is done each night."""
        [nightly] = commands("backup.md", "Each night")
        self.run(nightly, environment)

    def restore(self, moment: str) -> None:
        """Put the database back to a moment, after it was lost, and tell Carillon."""
        put_back, wait, tell = commands("backup.md", "Restore")
        self.end()
        self.run(put_back, {"RESTORE_TO": moment})
        self._stack.server("postgresql").start()
        self.run(wait)
        for line in tell.splitlines():
            program, manage, *words = line.split()
            assert (program, manage) == ("python", "manage.py")
            self._stack.manage(*words)

    def end(self) -> None:
        """Stop the receiver."""
        if self._receiver is not None:
            self._receiver.terminate()
            self._receiver.wait(timeout=20)
            self._receiver = None

    def forget(self) -> None:
        """Leave nothing of all this, in the server and in the folder."""
        self.end()
        slot = "FROM pg_replication_slots WHERE slot_name = 'carillon_backup'"
        while self.psql(f"SELECT count(*) {slot} AND active").strip() != "0":
            time.sleep(0.05)
        self.psql(f"SELECT pg_drop_replication_slot(slot_name) {slot}")
        shutil.rmtree(self.folder)

    def begin_file(self) -> None:
        """Have the server begin another file of its log."""
        self.psql("SELECT pg_switch_wal()")

    def wait_for_receiver(self, seconds: float = 30.0) -> None:
        """Wait until the receiver has all that there is now; more may come all the time."""
        now = self.psql("SELECT pg_current_wal_flush_lsn()").strip()
        asked = f"SELECT bool_or(flush_lsn >= '{now}') FROM pg_stat_replication"
        deadline = time.monotonic() + seconds
        while self.psql(asked).strip() != "t":
            assert time.monotonic() < deadline, self._receiver_log.read_text()
            time.sleep(0.05)

    def log_files(self) -> list[str]:
        """Return the names of the files that the receiver has, from the first."""
        return sorted(path.name for path in (self.folder / "wal").iterdir())

    def first_needed(self, base: str) -> str:
        """Return the name of the file that the log of a backup begins in."""
        label = (self.folder / base / "backup_label").read_text()
        found = re.search(r"^START WAL LOCATION: .*\(file (\w+)\)$", label, flags=re.MULTILINE)
        assert found is not None, label
        return found[1]

    def psql(self, sql: str) -> str:
        """Ask the primary, as its superuser."""
        return self.run(f'psql -d carillon -Atc "{sql}"')

    def run(self, script: str, environment: Mapping[str, str] | None = None) -> str:
        """Run commands until the first that fails; return what they print."""
        done = subprocess.run(
            self._words(script),
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=100,
            # A folder that the account may be in.
            cwd="/",
        )
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        return done.stdout

    def _words(self, script: str) -> list[str]:
        return [*as_account(), "sh", "-euc", script]
