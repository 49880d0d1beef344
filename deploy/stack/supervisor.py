"""Brings declared services up and down. No daemon: what runs is read from records and /proc."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.stack.errors import PortTaken, StackError
from deploy.stack.probes import is_free
from deploy.stack.processes import Identity, end, exit_status, is_alive, spawn, uninterrupted
from deploy.stack.records import Record, Records
from deploy.stack.service import Service, Task, in_order

__all__ = ["Report", "Supervisor", "becomes_free"]

Report = Callable[[str], None]

POLL_SECONDS = 0.05
TAIL_LINES = 20
# For the children of a process that was killed: they notice within a second, and end.
LEFT_BEHIND_SECONDS = 5.0
ROTATE_BYTES = 20_000_000


@dataclass(frozen=True)
class Start:
    """A service on its way to being ready."""

    service: Service
    identity: Identity
    began: float
    # Where its lines begin in a log that is appended to.
    log_offset: int

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


class Supervisor:
    """Starts, watches and stops the processes of one state folder."""

    def __init__(self, state: Path, cwd: Path, report: Report) -> None:
        self.cwd = cwd
        self.report = report
        self.records = Records(state / "run")
        self.logs = state / "log"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def up(self, services: Sequence[Service]) -> None:
        """
        Make all services run as declared: start the missing, restart the changed, leave the rest.
        """
        wanted = [service for service in in_order(services) if not self.is_current(service)]
        self.check_ports(wanted)
        changed = [r for s in wanted if (r := self.records.read(s.name)) is not None]
        for record in changed:
            if record.alive:
                self.report(f"{record.name:<13} has changed and is started again")
        self.stop(changed)
        waiting = {service.name: service for service in wanted}
        starting: dict[str, Start] = {}
        while waiting or starting:
            for service in list(waiting.values()):
                if not any(name in waiting or name in starting for name in service.needs):
                    starting[service.name] = self.start(service)
                    del waiting[service.name]
            for start in list(starting.values()):
                if self.is_ready(start):
                    del starting[start.service.name]
            time.sleep(POLL_SECONDS)

    def is_current(self, service: Service) -> bool:
        """Tell that nothing has to be done for a service."""
        if isinstance(service, Task):
            return service.done()
        record = self.records.read(service.name)
        return record is not None and record.alive and record.version == service.version

    def check_ports(self, services: Sequence[Service]) -> None:
        """Refuse to begin when a port belongs to a program that is not ours."""
        for service in services:
            record = self.records.read(service.name)
            if record is None or not record.alive:
                patience = 0.0 if record is None else LEFT_BEHIND_SECONDS
                for port, variable in service.ports.items():
                    if not becomes_free(port, patience):
                        raise PortTaken(service.name, port, variable)

    def start(self, service: Service) -> Start:
        service.prepare()
        log = self.log(service.name)
        if log.exists() and log.stat().st_size > ROTATE_BYTES:
            log.replace(log.with_suffix(".log.1"))
        offset = log.stat().st_size if log.exists() else 0
        began = time.monotonic()
        with uninterrupted():
            identity = spawn(service.command, service.env, self.cwd, log)
            self.records.write(
                Record(
                    name=service.name,
                    identity=identity,
                    version=service.version,
                    needs=service.needs,
                    stop_signal=service.stop_signal,
                    stop_seconds=service.stop_seconds,
                )
            )
        return Start(service, identity, began, offset)

    def is_ready(self, start: Start) -> bool:
        """Look at a starting service once; raise when it has failed."""
        service = start.service
        status = exit_status(start.identity)
        if isinstance(service, Task) and status == 0:
            self.records.forget(service.name)
            self.report(f"{service.name:<13} done in {start.seconds:.1f} s")
            return True
        if status is not None:
            self.records.forget(service.name)
            end(start.identity, service.stop_signal, 0)
            raise self.failure(start, f"ended with exit status {status}")
        if not isinstance(service, Task) and service.ready():
            address = f"  {service.address}" if service.address else ""
            self.report(f"{service.name:<13} ready in {start.seconds:.1f} s{address}")
            return True
        if start.seconds > service.start_seconds:
            self.stop([record for record in [self.records.read(service.name)] if record])
            raise self.failure(start, f"was not ready within {service.start_seconds:.0f} s")
        return False

    def failure(self, start: Start, reason: str) -> StackError:
        """Word an error that shows the end of the log."""
        log = self.log(start.service.name)
        with log.open("rb") as output:
            output.seek(start.log_offset)
            lines = output.read().decode(errors="replace").splitlines()
        first = f"{start.service.name} {reason}. The end of {log}:"
        return StackError("\n    ".join([first, *lines[-TAIL_LINES:]]))

    def stop(self, records: Sequence[Record], *, at_once: bool = False) -> None:
        """
        Stop processes, each before those that it needs.

        Args:
            records: which.
            at_once: kill them, because nothing that they would save is worth the wait.
        """
        waiting = {record.name: record for record in records}
        while waiting:
            needed = {name for record in waiting.values() for name in record.needs}
            last = [r for r in waiting.values() if r.name not in needed] or [*waiting.values()]
            with ThreadPoolExecutor() as pool:
                # A list, because it raises what a thread has raised.
                list(pool.map(partial(self.end, at_once=at_once), last))
            for record in last:
                del waiting[record.name]

    def end(self, record: Record, *, at_once: bool) -> None:
        began = time.monotonic()
        was_alive = is_alive(record.identity)
        seconds = 0 if at_once else record.stop_seconds
        left = end(record.identity, record.stop_signal, seconds)
        if left:
            pids = ", ".join(map(str, left))
            raise StackError(
                f"{record.name} did not end, not even after SIGKILL: look at process {pids}."
            )
        self.records.forget(record.name)
        if was_alive:
            self.report(f"{record.name:<13} stopped in {time.monotonic() - began:.1f} s")

    def down(self, *, at_once: bool = False) -> None:
        """Stop everything that was ever started from this state folder and still runs."""
        self.stop(self.records.all(), at_once=at_once)


def becomes_free(port: int, seconds: float) -> bool:
    """Wait for at most so many seconds until nobody has a port; say whether that came."""
    deadline = time.monotonic() + seconds
    while not is_free(port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
