"""The load client and the publisher, as the measuring process sees them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.fanout.programs import Program

__all__ = ["SOURCE", "Client", "Heard", "Publisher", "running"]

SOURCE = Path(__file__).with_name("client.c")
# More than the longest of all commands.
ANSWER_SECONDS = 180.0
START_SECONDS = 60.0


@dataclass(frozen=True)
class Heard:
    """
    What a group of connections has got.

    Attributes:
        open: how many of them are open.
        frames: how many messages they got together.
        missing: messages that were skipped.
        disordered: messages that came twice, or after a later one.
        p50_ms: of the time from when a message was due until it was read; 0 without any.
        p99_ms: likewise.
        max_ms: likewise.
    """

    open: int
    frames: int
    missing: int
    disordered: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    def lacking(self, messages: int, listeners: int) -> int:
        """Return how many deliveries were not made once and in order."""
        return abs(messages * listeners - self.frames) + self.missing + self.disordered


class Client:
    """Browsers, in groups."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def open(self, group: int, count: int, path: str, buffer_bytes: int = 0) -> dict[str, Any]:
        """
        Open so many more connections; return the wall clock's and the gateway's seconds.

        Args:
            group: what they are called by.
            count: how many.
            path: the endpoint.
            buffer_bytes: the kernel's, for what they have not read; 0 for its own choice.
        """
        return self._ask(f"open {group} {count} {path} {buffer_bytes}")

    def close(self, group: int) -> None:
        self._ask(f"close {group}")

    def start(self, group: int) -> None:
        """Measure what a group gets from now on."""
        self._ask(f"start {group}")

    def report(self) -> Heard:
        return Heard(**self._ask("report"))

    def talk(self, group: int, count: int, per_second: float, size: int) -> None:
        """Send messages over the first connection of a group."""
        self._ask(f"talk {group} {count} {per_second} {size}")

    def stall(self, group: int) -> None:
        self._ask(f"stall {group}")

    def flood(self, group: int) -> None:
        self._ask(f"flood {group}")

    def _ask(self, line: str) -> dict[str, Any]:
        return self._program.ask(line, ANSWER_SECONDS)


class Publisher:
    """Somebody who speaks, in a process of their own."""

    def __init__(self, program: Program, user_id: int) -> None:
        self._program, self._user_id = program, user_id

    def say(self, room: str, count: int, per_second: float, size: int) -> float:
        """Send messages; return the milliseconds that storing one took, on average."""
        line = f"say {self._user_id} {room} {count} {per_second} {size}"
        return float(self._program.ask(line, ANSWER_SECONDS)["busy"]) / count * 1e3


@contextmanager
def running(name: str, command: Sequence[str], core: int | None) -> Iterator[Program]:
    """Start a program; end it at the end of the block."""
    program = Program(name, command, core)
    try:
        yield program
    finally:
        program.end()


@contextmanager
def client(
    program: Path, port: int, pid: int, origin: str, cookies: Path, core: int | None
) -> Iterator[Client]:
    """Start the load client."""
    command = [str(program), str(port), str(pid), origin, str(cookies)]
    with running("The load client", command, core) as started:
        yield Client(started)


@contextmanager
def publisher(user_id: int, core: int | None) -> Iterator[Publisher]:
    """Start the publisher, in the environment of this process."""
    command = [sys.executable, "-m", "tests.load.live.publisher"]
    with running("The publisher", command, core) as started:
        started.hear(START_SECONDS)
        yield Publisher(started, user_id)
