"""Processes as the kernel shows them, named so that a re-used pid is never mistaken."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from deploy.stack.errors import StackError

__all__ = [
    "Identity",
    "end",
    "exit_status",
    "family",
    "identify",
    "is_alive",
    "spawn",
    "uninterrupted",
]

PROC = Path("/proc")

# How long the children of an ended process may take to notice.
ORPHAN_SECONDS = 3.0
KILL_SECONDS = 5.0
POLL_SECONDS = 0.05

# Processes that this very program started: somebody must collect their exit status, and
# subprocess warns about objects that are dropped before.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Identity:
    """One process: its pid, and its start in clock ticks since boot."""

    pid: int
    started: int


@dataclass(frozen=True)
class Entry:
    """One line of the process table."""

    identity: Identity
    parent: int
    session: int


def read_entry(pid: int) -> Entry | None:
    """Read a process from the table; None when it is gone or only waits to be collected."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets, which may itself hold brackets.
    fields = text.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return Entry(Identity(pid, int(fields[19])), parent=int(fields[1]), session=int(fields[3]))


def identify(pid: int) -> Identity | None:
    """Name the process that has a pid now."""
    entry = read_entry(pid)
    return entry.identity if entry else None


def is_alive(identity: Identity) -> bool:
    if (child := _children.get(identity.pid)) is not None:
        child.poll()
    return identify(identity.pid) == identity


def exit_status(identity: Identity) -> int | None:
    """Tell how a process that this program started has ended; None while it runs."""
    return _children[identity.pid].poll()


def spawn(command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> Identity:
    """
    Start a process in a session of its own, so that it outlives this program and its terminal.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise StackError(f"{command[0]} cannot be started: {error}.") from error
    _children[child.pid] = child
    # The entry of a process that has already ended is readable until it is collected.
    text = (PROC / str(child.pid) / "stat").read_text(errors="replace")
    return Identity(child.pid, int(text.rpartition(")")[2].split()[19]))


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block: what was started must be recorded, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True

    before = {n: signal.signal(n, remember) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interrupted:
        raise KeyboardInterrupt


def family(identity: Identity) -> set[Identity]:
    """Find a process, its descendants, and what is left of its session when it is gone."""
    table = [
        entry for name in os.listdir(PROC) if name.isdigit() if (entry := read_entry(int(name)))
    ]
    now = identify(identity.pid)
    if now is not None and now != identity:
        # The pid belongs to somebody else, so the session of that number does, too.
        return set()
    members = {e.identity for e in table if identity.pid in (e.identity.pid, e.session)}
    while True:
        pids = {member.pid for member in members}
        more = {e.identity for e in table if e.parent in pids} - members
        if not more:
            return members
        members |= more


def send(members: Iterable[Identity], number: signal.Signals) -> None:
    for member in members:
        if is_alive(member):
            with suppress(ProcessLookupError):
                os.kill(member.pid, number)


def end(identity: Identity, stop_signal: signal.Signals, seconds: float) -> list[int]:
    """Stop a process and all that belongs to it; return the pids that would not go."""
    members = family(identity)
    if is_alive(identity):
        send([identity], stop_signal)
    else:
        send(members, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not (members := those_left(members, identity)):
            return []
        if identity not in members:
            deadline = min(deadline, time.monotonic() + ORPHAN_SECONDS)
        time.sleep(POLL_SECONDS)
    deadline = time.monotonic() + KILL_SECONDS
    while time.monotonic() < deadline:
        if not (members := those_left(members, identity)):
            return []
        send(members, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return sorted(member.pid for member in members)


def those_left(members: Iterable[Identity], identity: Identity) -> set[Identity]:
    """
    Say who of a family still runs.

    It is looked up anew: between being seen and being killed a process may start another one, and
    what has moved to a session of its own is known only from before.
    """
    return {member for member in members if is_alive(member)} | family(identity)
