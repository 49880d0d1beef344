"""The declaration of one service: what runs, in which order, and how to tell that it works."""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Probe", "Service", "Task", "fingerprint", "in_order"]

Probe = Callable[[], bool]

# They differ between the shells of one person, and change nothing that a service does.
INCIDENTAL = {"PATH", "HOME", "TMPDIR"}

# What tools leave behind; the front end's sources count when they have been built.
UNREAD = {"__pycache__", "node_modules", "frontend"}


def always() -> bool:
    return True


def never() -> bool:
    return False


def nothing() -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Service:
    """A process that stays."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    # Names of the services that must be ready before this one starts.
    needs: tuple[str, ...] = ()
    # Asked again and again, without blocking for long, until it says yes.
    ready: Probe = always
    # Listening ports, by the variable that moves each.
    ports: Mapping[int, str] = field(default_factory=dict)
    # Writes the files that the command reads.
    prepare: Callable[[], None] = nothing
    # Whatever else decides how the process behaves: its configuration, its sources.
    content: str = ""
    # Shown once it is ready.
    address: str = ""
    start_seconds: float = 60
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20

    @property
    def version(self) -> str:
        """Changes when the running process would differ from a new one."""
        env = sorted((name, value) for name, value in self.env.items() if name not in INCIDENTAL)
        parts = json.dumps([self.command, env, self.content])
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Task(Service):
    """
    A process that does its work and ends; it is ready when it ended with 0.

    Only the work itself knows whether there is any: a database may have been replaced since.
    """

    # Says that the work is already there, where asking is cheaper than doing.
    done: Probe = never


def in_order(services: Sequence[Service]) -> list[Service]:
    """Sort services so that each comes after those that it needs."""
    waiting = {service.name: service for service in services}
    ordered: list[Service] = []
    while waiting:
        free = [s for s in waiting.values() if not any(name in waiting for name in s.needs)]
        assert free, f"services need each other in a circle: {', '.join(waiting)}"
        for service in free:
            ordered.append(service)
            del waiting[service.name]
    return ordered


def fingerprint(folders: Iterable[Path]) -> str:
    """Digest names, sizes and times of the files below some folders, without reading them."""
    digest = hashlib.sha256()
    for top in folders:
        for folder, subfolders, names in os.walk(top):
            subfolders[:] = sorted(n for n in subfolders if n not in UNREAD and n[0] != ".")
            for path in [Path(folder, name) for name in sorted(names) if name[0] != "."]:
                status = path.stat()
                digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
