"""`python -m tests.load.live`: one gateway of a private stack, with people who are signed in."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from deploy.stack.layout import state_folder
from deploy.stack.stack import Stack
from tests.load.__main__ import private_stack, set_django_up
from tests.load.command import allow_files, said, say, status
from tests.load.fanout.programs import compiled, cores
from tests.load.figures import Figure, table
from tests.load.live.sizes import FULL, QUICK, SMOKE, Sizes

# nginx, the web tier and the workers take no part: the publisher does what a web process does.
SERVICES = (
    *("initdb", "postgresql", "database", "epmd", "rabbitmq", "migrate"),
    "gateway-1",
)
IDLE_LOAD = 0.7
ROOM, OTHER_ROOM = "live", "storm"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.live", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer people, within a minute")
    size.add_argument("--smoke", action="store_true", help="so few that figures mean nothing")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SMOKE if options.smoke else FULL
    return said(lambda: benchmark(sizes))


def benchmark(sizes: Sizes) -> int:
    """Measure, print and keep the figures; return the exit status."""
    began = time.monotonic()
    folder = state_folder(os.environ) / "bench"
    # Whatever else runs is in the latencies, and a little of it in CPU time, by way of the caches.
    load = os.getloadavg()[0]
    if load > IDLE_LOAD:
        say(f"The machine is not idle (load {load:.1f}): take no latency from this run.")
    allow_files(2 * sizes.many)
    with private_stack() as stack:
        stack.start(*SERVICES)
        set_django_up(stack)
        figures = measured(stack, sizes, folder)
    pinned = cores()
    where = f"the gateway on core {pinned[0]}" if pinned else "one core for all: no figures"
    say(f"\n{table(figures)}\n\n{time.monotonic() - began:.0f} s in all, {where}.")
    everything = {
        "cores": pinned,
        "load_before": load,
        "sizes": asdict(sizes),
        "figures": [asdict(figure) for figure in figures],
    }
    kept = folder / "live.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(everything, indent=2))
    say(f"Kept: {kept}")
    return status(figures)


def measured(stack: Stack, sizes: Sizes, folder: Path) -> list[Figure]:
    """Sign people in, then measure one thing after the other."""
    # These know models, which exist only now.
    import psycopg

    from shared.accounts.models import User
    from shared.chat.actions import do_create_room
    from tests.load.live import measure, programs
    from tests.load.live.gateway import Gateway, pin
    from tests.load.live.storm import storm_figures
    from tests.load.people import add_users, sign_in

    say(f"Signing {sizes.people:,} people in.")
    with psycopg.connect(stack.database_url, autocommit=True) as database:
        users = add_users(database, sizes.people)
    owner = User.objects.get(pk=users[0])
    for room in (ROOM, OTHER_ROOM):
        do_create_room(owner, room)
    # In the stack's folder, which goes with the stack.
    cookies = stack.layout.state / "cookies"
    cookies.write_text("".join(f"{cookie}\n" for cookie in sign_in(users)))
    gateway = Gateway(stack)
    pinned = cores()
    if pinned is not None:
        pin(stack, *pinned)
    core = pinned and pinned[1]
    origin = f"http://127.0.0.1:{stack.layout.port}"
    with ExitStack() as exits:
        client = exits.enter_context(
            programs.client(
                compiled(programs.SOURCE, folder), gateway.port, gateway.pid, origin, cookies, core
            )
        )
        publisher = exits.enter_context(programs.publisher(users[0], core))
        bench = measure.Bench(gateway, client, publisher, sizes, ROOM, say)
        say(f"Opening {sizes.many:,} connections to each endpoint.")
        memory = measure.memory_figures(bench)
        say(f"Talking to {sizes.many:,} people in a room.")
        latency = measure.latency_figures(bench)
        say("All of them leave, and come back.")
        kept = measure.returns(bench)
        say(f"{sizes.rounds} rounds of {sizes.accepts:,} accepts.")
        accepts = measure.accept_figures(bench)
        say(f"{sizes.misfits} stall, {sizes.misfits} flood.")
        return [*accepts, *memory, *kept, *latency, *storm_figures(bench, OTHER_ROOM)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
