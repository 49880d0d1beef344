"""Programs that are run to their end, and what they say when they fail."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.stack.errors import StackError

__all__ = ["CommandFailed", "output", "run", "succeeds"]

SHOWN_LINES = 30


class CommandFailed(StackError):
    """
    A program ended with an error.

    Attributes:
        words: the last lines that it wrote.
    """

    def __init__(self, command: Sequence[str], words: str) -> None:
        self.words = words
        lines = "\n    ".join(words.splitlines()[-SHOWN_LINES:])
        super().__init__(f"`{' '.join(command[:8])}` failed:\n    {lines}")


def run(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    text: str | None = None,
    seconds: float | None = None,
) -> str:
    """
    Run a program and return what it wrote.

    Args:
        command: its words.
        env: set beside what our own environment has.
        log: gets what it writes, while it writes it.
        text: for its standard input.
        seconds: after which it is ended.

    Raises:
        CommandFailed: it ended with an error, or took longer.
    """
    words = [str(word) for word in command]
    try:
        with open(log or os.devnull, "a+b") as file:
            start = file.tell()
            ended = subprocess.run(
                words,
                env={**os.environ, **(env or {})},
                input=text,
                stdin=None if text is not None else subprocess.DEVNULL,
                stdout=file if log else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds,
            )
            file.seek(start)
            said = file.read().decode(errors="replace") if log else ended.stdout
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(words, f"It did not end within {seconds:.0f} s.") from error
    except OSError as error:
        raise CommandFailed(words, str(error)) from error
    if ended.returncode != 0:
        raise CommandFailed(words, said)
    return said


def output(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Return what a program writes to its standard output alone, without blanks around it."""
    words = [str(word) for word in command]
    environment = {**os.environ, **(env or {})}
    try:
        ended = subprocess.run(
            words, env=environment, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise CommandFailed(words, str(error)) from error
    if ended.returncode != 0:
        raise CommandFailed(words, ended.stdout + ended.stderr)
    return ended.stdout.strip()


def succeeds(
    *command: str | Path, env: Mapping[str, str] | None = None, seconds: float = 20
) -> bool:
    """Tell whether a program ends with 0."""
    try:
        run(*command, env=env, seconds=seconds)
    except CommandFailed:
        return False
    return True
