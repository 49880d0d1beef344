"""What the benchmarks' commands have in common: the terminal, signals, files, one at a time."""

from __future__ import annotations

import fcntl
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from deploy.stack.errors import StackError
from tests.load.figures import Figure

__all__ = ["allow_files", "alone", "said", "say", "status"]

# Those of a process beside its sockets.
_OTHER_FILES = 500


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def said(run: Callable[[], int]) -> int:
    """Return a benchmark's exit status; what ends it early is said, and no traceback."""
    # `kill` shall clean up like Ctrl-C does, which a shell may have told background jobs to ignore.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return run()
    except (StackError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing of the benchmark runs.", file=sys.stderr)
        return 130


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """
    Have a folder for oneself; make it where it is not there.

    Raises:
        StackError: another benchmark has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "running").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"Another benchmark runs in {folder}: wait for it to end, then try again."
            ) from None
        yield


def allow_files(sockets: int) -> None:
    """Raise the limit on open files, for this process and all that it starts."""
    count = sockets + _OTHER_FILES
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count:
        raise StackError(f"Only {hard} files may be open: allow {count} (`ulimit -Hn {count}`).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def status(figures: Sequence[Figure]) -> int:
    """Return the exit status that figures make: 1 where one falls short."""
    short = [figure for figure in figures if figure.falls_short]
    if short:
        print(f"{len(short)} of the figures fall short.", file=sys.stderr)
    return 1 if short else 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
