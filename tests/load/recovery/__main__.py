"""`python -m tests.load.recovery`: what it costs one gateway to have clients catch up."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from deploy.stack.layout import state_folder
from deploy.stack.stack import Stack
from tests.load.__main__ import private_stack, set_django_up
from tests.load.command import allow_files, said, say, status
from tests.load.fanout.programs import compiled
from tests.load.figures import Figure, table
from tests.load.recovery.sizes import FULL, QUICK, SMOKE, Sizes

# nginx, the web tier and the workers take no part.
SERVICES = (
    *("initdb", "postgresql", "database", "epmd", "rabbitmq", "migrate"),
    "gateway-1",
)
PARTS = ("returning", "join", "storm")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.recovery", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="less of it, in two minutes")
    size.add_argument("--smoke", action="store_true", help="so few that figures mean nothing")
    parser.add_argument("--part", choices=PARTS, action="append", help="nothing but this")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SMOKE if options.smoke else FULL
    return said(lambda: benchmark(sizes, options.part or PARTS))


def benchmark(sizes: Sizes, parts: Sequence[str]) -> int:
    """Measure, print and keep the figures; return the exit status."""
    began = time.monotonic()
    # Before the environment is the private stack's.
    folder = state_folder(os.environ) / "bench"
    allow_files(sizes.people)
    with private_stack() as stack:
        stack.start(*SERVICES)
        set_django_up(stack)
        figures = measured(stack, sizes, parts, folder)
    say(f"\n{table(figures)}\n\n{time.monotonic() - began:.0f} s in all, {os.cpu_count()} cores.")
    kept = folder / "recovery.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    everything = {"sizes": asdict(sizes), "figures": [asdict(figure) for figure in figures]}
    kept.write_text(json.dumps(everything, indent=2))
    say(f"Kept: {kept}")
    return status(figures)


def measured(stack: Stack, sizes: Sizes, parts: Sequence[str], folder: Path) -> list[Figure]:
    """Sign people in, then measure one thing after the other."""
    # These know models, which exist only now.
    import psycopg

    from shared.accounts.models import User
    from tests.load.people import add_users, sign_in
    from tests.load.recovery import measure
    from tests.load.recovery.watching import go_by_name

    go_by_name()
    say(f"Signing {sizes.people:,} people in.")
    with psycopg.connect(stack.database_url, autocommit=True) as database:
        users = add_users(database, sizes.people)
    # In the stack's folder, which goes with the stack.
    cookies = stack.layout.state / "cookies"
    cookies.write_text("".join(f"{cookie}\n" for cookie in sign_in(users)))
    owner = User.objects.get(pk=users[0])
    program = compiled(measure.SOURCE, folder)
    bench = measure.Bench(stack, program, cookies, owner, sizes, say)
    bench.gateway()
    figures: list[Figure] = []
    if "returning" in parts:
        say(f"{sizes.returning:,} come back, one after the other.")
        figures += measure.returning_figures(bench)
    if "join" in parts:
        say(f"{sizes.joiners:,} come to rooms.")
        figures += measure.join_figures(bench)
    if "storm" in parts:
        say(f"{sizes.storm:,} come back at once.")
        figures += measure.storm_figures(bench)
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
