"""Commands as the documentation has them, run as it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
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

    def prepare(self) -> None:
        """Do what is done once, and start what runs all the time."""
        self.folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, ACCOUNT, ACCOUNT)
        [once] = commands("backup.md", "Once")
        self.run(once)
        [always] = commands("backup.md", "All the time")
        self._receiver = subprocess.Popen(
            self._words(always), env=self.environment, text=True, stderr=subprocess.PIPE
        )

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
            self._receiver.communicate(timeout=20)
            self._receiver = None

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
