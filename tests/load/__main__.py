"""`python -m tests.load`, behind `make bench-bulk`: a stack of its own, and what is measured."""

from __future__ import annotations

import argparse
import fcntl
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from deploy.stack.errors import StackError
from deploy.stack.layout import SPAN, Layout, free_base, state_folder
from deploy.stack.processes import uninterrupted
from deploy.stack.stack import Stack
from shared.settings import env
from tests.load.figures import table
from tests.load.sizes import FULL, QUICK, SMOKE

GATEWAYS = 2

# Those of a process beside its sockets.
OTHER_FILES = 500


def say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def private_stack() -> Iterator[Stack]:
    """A stack beside the one of `make stack`, which takes all that it starts along."""
    # On the disk of the checkout: a folder in memory would make every fsync free.
    state = state_folder(os.environ) / "bench-bulk"
    state.mkdir(parents=True, exist_ok=True)
    with (state / "running").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"Another benchmark runs in {state}: wait for it to end, then try again."
            ) from None
        given = "CARILLON_BASE_PORT" in os.environ
        base = Layout.from_environment(os.environ).base if given else free_base()
        layout = Layout(state=state, port=base + SPAN, base=base, sandbox=True)
        stack = Stack(layout, {}, say)
        try:
            # What an earlier run left that was killed.
            stack.down(and_wipe=True)
            yield stack
        finally:
            # An impatient second Ctrl-C would leave what this is about to end.
            with uninterrupted():
                stack.down(and_wipe=True)
                shutil.rmtree(state)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="1,000,000 recipients; needs 8 GB disk")
    size.add_argument("--smoke", action="store_true", help="so few that figures mean nothing")
    options = parser.parse_args(arguments)
    sizes = FULL if options.full else SMOKE if options.smoke else QUICK
    # `kill` shall clean up like Ctrl-C does, which a shell may have told background jobs to ignore.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    began = time.monotonic()
    try:
        allow_files(sizes.sockets + OTHER_FILES)
        with private_stack() as stack:
            stack.up(GATEWAYS)
            set_django_up(stack)
            from tests.load.bulk import measure

            figures = measure(stack, sizes)
    except (StackError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing of the benchmark runs.", file=sys.stderr)
        return 130
    say(f"\n{table(figures)}\n\n{os.cpu_count()} cores, {time.monotonic() - began:.0f} s in all.")
    short = [figure for figure in figures if figure.falls_short]
    if short:
        print(f"{len(short)} of the figures fall short.", file=sys.stderr)
    return 1 if short else 0


def allow_files(count: int) -> None:
    """Raise the limit on open files, for this process and all that it starts."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count:
        raise StackError(f"Only {hard} files may be open: allow {count} (`ulimit -Hn {count}`).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def set_django_up(stack: Stack) -> None:
    """Make this process one of the stack's web tier: jobs are started as its pages do."""
    settings = {**stack.role_environment("web"), "CARILLON_LOG_LEVEL": "ERROR"}
    for name, value in settings.items():
        if name.startswith(("CARILLON_", "DJANGO_")) or name.endswith("_URL"):
            env.assign(name, value)
    import django

    django.setup()


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
