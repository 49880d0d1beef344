"""PostgreSQL as plain processes: a cluster of our own, with fsync on."""

import hashlib
import os
import pwd
import shlex
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy.stack.credentials import Credentials, write_private
from deploy.stack.errors import MissingProgram, StackError
from deploy.stack.layout import Layout
from deploy.stack.probes import succeeds
from deploy.stack.programs import postgresql_folder
from deploy.stack.service import Service, Task

__all__ = ["database_url", "left_behind", "postgresql", "wipe"]

SUPERUSER = "postgres"
NAME = "carillon"

# PostgreSQL refuses to run as root; Debian's package brings this account.
ACCOUNT = "postgres"


def database_url(layout: Layout, credentials: Credentials) -> str:
    return f"postgres://{NAME}:{credentials.database}@127.0.0.1:{layout.postgresql}/{NAME}"


def as_account() -> tuple[str, ...]:
    """The words before a command that must not run as root."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups")


def may_enter(folder: Path) -> bool:
    """Tell whether the account can pass through a folder and all its parents."""
    if os.geteuid() != 0:
        return True
    account = pwd.getpwnam(ACCOUNT)
    for path in [folder, *folder.parents]:
        status = path.stat()
        mine, group = status.st_uid == account.pw_uid, status.st_gid == account.pw_gid
        if not status.st_mode & (0o100 if mine else 0o010 if group else 0o001):
            return False
    return True


def places() -> list[Path]:
    """List the folders for clusters whose state folder is closed to the account."""
    home = Path(pwd.getpwnam(ACCOUNT).pw_dir)
    # Debian may empty /var/tmp of what is a month old. make_folder looks at who owns it.
    wanted = (home, Path("/var/tmp"), Path(tempfile.gettempdir()).resolve())  # noqa: S108
    return [place for place in wanted if place.is_dir() and may_enter(place)]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def outside_name(layout: Layout) -> str:
    """Begin the names of all clusters outside of one state folder."""
    return f"carillon-{digest(str(layout.state.resolve()))}"


def data_folder(layout: Layout, credentials: Credentials) -> Path:
    """Choose where the cluster lies: in the state folder, or outside where that is closed to it."""
    link = layout.state / "postgresql"
    if link.is_symlink() or link.is_dir():
        return link.resolve()
    layout.state.mkdir(parents=True, exist_ok=True)
    if may_enter(layout.state.resolve()):
        return link.resolve()
    for place in places():
        # The cluster of an earlier state folder at this path has passwords that nobody knows.
        return place / f"{outside_name(layout)}-{digest(credentials.superuser)}"
    raise StackError(
        f"{layout.state} is closed to the account {ACCOUNT!r}: "
        "set CARILLON_STATE_DIR to a folder that everybody may enter."
    )


def left_behind(layout: Layout) -> list[Path]:
    """Find the clusters of earlier state folders at the same path, of no use to this one."""
    if os.geteuid() != 0:
        return []
    own = (layout.state / "postgresql").resolve()
    found = {path for place in places() for path in place.glob(f"{outside_name(layout)}*")}
    return sorted(found - {own})


def make_folder(layout: Layout, folder: Path, credentials: Credentials) -> None:
    """Make the cluster's folder and the files that its commands read."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    owners = {os.geteuid()}
    if os.geteuid() == 0:
        owners.add(pwd.getpwnam(ACCOUNT).pw_uid)
    if folder.is_symlink() or status.st_uid not in owners:
        # Anybody may have put it there, in a folder that is open to all.
        raise StackError(f"{folder} belongs to somebody else: remove it, then try again.")
    link = layout.state / "postgresql"
    if folder != link.resolve():
        link.symlink_to(folder)
    write_private(folder / "superuser", credentials.superuser + "\n")
    if os.geteuid() == 0:
        for path in (folder, folder / "superuser"):
            shutil.chown(path, ACCOUNT, ACCOUNT)
    shutil.rmtree(folder / "draft", ignore_errors=True)


def roles(credentials: Credentials, sandbox: bool) -> str:
    """SQL that makes the owner and the database, however often it runs."""
    rights = "CREATEDB" if sandbox else "NOCREATEDB"
    return f"""\
SELECT 'CREATE ROLE {NAME} LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{NAME}') \\gexec
ALTER ROLE {NAME} {rights} NOSUPERUSER NOCREATEROLE PASSWORD '{credentials.database}';
SELECT 'CREATE DATABASE {NAME} OWNER {NAME}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{NAME}') \\gexec
REVOKE CONNECT ON DATABASE {NAME} FROM PUBLIC;
GRANT pg_read_all_stats TO {NAME};
"""  # noqa: S608 - names of ours and a hexadecimal password


def postgresql(
    layout: Layout, credentials: Credentials, env: Mapping[str, str]
) -> tuple[Service, ...]:
    """Declare the cluster's making, the server, and the database in it."""
    programs = postgresql_folder()
    if programs is None:
        raise MissingProgram(["postgresql"])
    folder = data_folder(layout, credentials)
    data, draft = folder / "data", folder / "draft"
    initdb = shlex.join(
        [
            *(str(programs / "initdb"), "-D", str(draft), "-U", SUPERUSER),
            *(f"--pwfile={folder / 'superuser'}", "-A", "scram-sha-256", "-E", "UTF8"),
            *("--locale=C.UTF-8", "--no-sync"),
        ]
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(layout.postgresql),
        # Without a socket there is no limit on the length of the folder's path.
        "unix_socket_directories": "",
        "max_connections": "200",
        "log_line_prefix": "%m [%p] %u ",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    script = layout.state / "roles.sql"
    sql = roles(credentials, layout.sandbox)
    return (
        Task(
            name="initdb",
            # The folder gets its name when it is complete: a cut leaves nothing half-made.
            command=(
                *as_account(),
                "sh",
                "-c",
                f"{initdb} && {shlex.join(['mv', str(draft), str(data)])}",
            ),
            env=env,
            prepare=lambda: make_folder(layout, folder, credentials),
            done=(data / "PG_VERSION").exists,
        ),
        Service(
            name="postgresql",
            command=(*as_account(), str(programs / "postgres"), "-D", str(data), *options),
            env=env,
            needs=("initdb",),
            # It listens before it has recovered from a crash.
            ready=succeeds(
                *(str(programs / "pg_isready"), "-q", "-t", "2"),
                *("-h", "127.0.0.1", "-p", str(layout.postgresql)),
            ),
            ports={layout.postgresql: "CARILLON_BASE_PORT"},
            address=f"127.0.0.1:{layout.postgresql}",
            # Disconnects its clients and writes a checkpoint; SIGTERM would wait for them.
            stop_signal=signal.SIGINT,
            stop_seconds=30,
        ),
        Task(
            name="database",
            command=(
                *(str(programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"),
                *("-h", "127.0.0.1", "-p", str(layout.postgresql), "-U", SUPERUSER),
                *("-d", "postgres", "-f", str(script)),
            ),
            env={**env, "PGPASSWORD": credentials.superuser, "PGCONNECT_TIMEOUT": "10"},
            needs=("postgresql",),
            prepare=lambda: write_private(script, sql),
            content=sql,
        ),
    )


def wipe(layout: Layout) -> None:
    """Remove the cluster, wherever it lies."""
    link = layout.state / "postgresql"
    folder = link.resolve()
    if link.is_symlink():
        link.unlink()
    if folder.exists():
        shutil.rmtree(folder)
