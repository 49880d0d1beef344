"""The load client, as the measuring process sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.fanout.programs import Program

__all__ = ["SOURCE", "Answered", "Clients", "Command", "clients"]

SOURCE = Path(__file__).with_name("client.c")
# More than the longest of all commands.
ANSWER_SECONDS = 180.0


@dataclass(frozen=True)
class Command:
    """
    What one connection sends.

    Attributes:
        index: the connection.
        number: the command's id.
        method: its name in the schema.
        request: what it asks.
    """

    index: int
    number: int
    method: str
    request: Mapping[str, object]

    def __str__(self) -> str:
        text = json.dumps({"id": self.number, self.method: self.request}, separators=(",", ":"))
        return f"{self.index} {self.number} {text}"


@dataclass(frozen=True)
class Answered:
    """
    What came of commands.

    Attributes:
        answered: how many were answered without an error.
        errors: answers that were errors.
        seconds: from the first of them to the last answer.
        p50_ms: from when a command was due until it was answered; 0 without any. In a storm all
            are due at its beginning.
        p99_ms: likewise.
        max_ms: likewise.
        cuts: connections that the gateway ended.
        refusals: connections that it did not take.
        timeouts: connections that a client gave up, having waited for too long.
        cut_again: of those that were through already, the connections that were cut.
    """

    answered: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cuts: int
    refusals: int
    timeouts: int
    cut_again: int


class Clients:
    """Clients with a connection each, by number."""

    def __init__(self, program: Program, folder: Path) -> None:
        """
        Args:
            program: the running load client.
            folder: where what it is to send, and what it has got, is put down.
        """
        self._program = program
        self._commands, self._messages = folder / "commands", folder / "messages"

    def connect(self, count: int) -> None:
        """Open so many connections."""
        self._program.ask(f"connect {count}", ANSWER_SECONDS)

    def send(self, commands: Sequence[Command], per_second: float = 0) -> Answered:
        """Send commands, so many a second or as fast as they are answered; wait for all answers."""
        self._put(commands)
        return Answered(**self._program.ask(f"send {self._commands} {per_second}", ANSWER_SECONDS))

    def wait_until_dead(self, seconds: float) -> None:
        """
        Wait until the gateway has ended all connections.

        Raises:
            RuntimeError: it has not.
        """
        if left := self._program.ask(f"dead {seconds}", seconds + 5)["open"]:
            raise RuntimeError(f"{left} connections outlived their gateway.")

    def storm(self, commands: Sequence[Command], seconds: float) -> Answered:
        """Have all connect again at once and send a command each; wait, but so long at most."""
        self._put(commands)
        return Answered(
            **self._program.ask(f"storm {self._commands} {seconds}", seconds + ANSWER_SECONDS)
        )

    def messages(self) -> list[tuple[int, dict[str, Any]]]:
        """Return what came since the last time: who got it, and the message, in order for each."""
        self._program.ask(f"dump {self._messages}", ANSWER_SECONDS)
        with self._messages.open() as lines:
            parted = (line.partition("\t") for line in lines)
            return [(int(index), json.loads(text)) for index, _, text in parted]

    def _put(self, commands: Sequence[Command]) -> None:
        self._commands.write_text("".join(f"{command}\n" for command in commands))


@contextmanager
def clients(
    program: Path, port: int, origin: str, cookies: Path, core: int | None
) -> Iterator[Clients]:
    """Start a load client; end it at the end of the block."""
    command = [str(program), str(port), origin, str(cookies)]
    started = Program("The load client", command, core)
    try:
        yield Clients(started, cookies.parent)
    finally:
        started.end()
