"""`python -m tests.load`, behind `make bench-bulk`: a stack of its own, and what is measured."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.stack.layout import SPAN, Layout, free_base, state_folder
from deploy.stack.processes import uninterrupted
from deploy.stack.stack import Stack
from shared.settings import env
from tests.load.command import allow_files, alone, said, say, status
from tests.load.figures import table
from tests.load.sizes import FULL, QUICK, SMOKE, Sizes

GATEWAYS = 2


@contextmanager
def private_stack() -> Iterator[Stack]:
    """A stack beside the one of `make stack`, which takes all that it starts along."""
    # On the disk of the checkout: a folder in memory would make every fsync free.
    state = state_folder(os.environ) / "bench-bulk"
    with alone(state):
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
    return said(lambda: run(sizes))


def run(sizes: Sizes) -> int:
    """Measure and print the figures; return the exit status."""
    began = time.monotonic()
    allow_files(sizes.sockets)
    with private_stack() as stack:
        stack.up(GATEWAYS)
        set_django_up(stack)
        from tests.load.bulk import measure

        figures = measure(stack, sizes)
    say(f"\n{table(figures)}\n\n{os.cpu_count()} cores, {time.monotonic() - began:.0f} s in all.")
    return status(figures)


def set_django_up(stack: Stack) -> None:
    """Make this process one of the stack's web tier: jobs are started as its pages do."""
    settings = {**stack.role_environment("web"), "CARILLON_LOG_LEVEL": "ERROR"}
    for name, value in settings.items():
        if name.startswith(("CARILLON_", "DJANGO_")) or name.endswith("_URL"):
            env.assign(name, value)
    import django

    django.setup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
