"""`python -m tests.load.fanout`, behind `make bench` and `make bench-quick`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from deploy.stack.layout import Layout, state_folder
from deploy.stack.processes import uninterrupted
from deploy.stack.stack import Stack
from tests.load.command import allow_files, alone, said, say, status
from tests.load.fanout.crowds import crowds
from tests.load.fanout.holds import holds
from tests.load.fanout.leaving import leaving
from tests.load.fanout.measure import measure
from tests.load.fanout.peers import Peer, gateway, nchan, node, reference, slow_gateway, tutorial
from tests.load.fanout.profiles import profile
from tests.load.fanout.programs import HERE, compiled, cores, started
from tests.load.fanout.sizes import FULL, QUICK, SMOKE, Sizes
from tests.load.fanout.tables import figures, tables
from tests.load.figures import Figure, table
from tests.load.plots import can_draw, charts, draw


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.fanout", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="within 2 minutes; without peers")
    size.add_argument("--smoke", action="store_true", help="so few that figures mean nothing")
    size.add_argument("--profile", action="store_true", help="where the gateway's time goes")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SMOKE if options.smoke else FULL
    folder = state_folder(os.environ) / "bench"

    def run() -> int:
        allow_files(max(sizes.connections))
        with alone(folder):
            if options.profile:
                say("\n".join(profile(compiled(HERE / "client.c", folder), folder, sizes)))
                return 0
            return compare(sizes, folder)

    return said(run)


@contextmanager
def rabbitmq() -> Iterator[str]:
    """Run RabbitMQ, for the tutorial alone; give its URL."""
    with Layout.temporary() as layout:
        stack = Stack(layout, {}, say)
        try:
            stack.start("epmd", "rabbitmq")
            yield stack.broker_url("operator")
        finally:
            # An impatient second Ctrl-C would leave what this is about to end.
            with uninterrupted():
                stack.down(and_wipe=True)


def others(folder: Path, broker_url: str) -> list[Peer]:
    """Return the servers that are here for comparison."""
    found = [slow_gateway(), tutorial(broker_url)]
    for name, peer in (("Node's ws", node(folder)), ("nchan", nchan(folder))):
        if peer is None:
            say(f"{name} is left out: it is not there, and could not be installed.")
        else:
            found.append(peer)
    return found


def by_itself(client: Path, sizes: Sizes) -> list[Figure]:
    """Measure what the gateway's server is bound to without any other."""
    found = []
    peer = gateway()
    for look, words in (
        (holds, "The longest turns of the event loop."),
        (leaving, "Connections that come and go."),
        (crowds, "Clients who stall, and clients who flood."),
    ):
        say(words)
        with started(peer.name, peer.command, client) as (server, load):
            found += look(server, load, sizes)
    return found


def compare(sizes: Sizes, folder: Path) -> int:
    """Measure, print and keep the figures; return the exit status."""
    began = time.monotonic()
    client = compiled(HERE / "client.c", folder)
    with ExitStack() as stack:
        peers = [reference(folder), gateway()]
        if sizes.with_others:
            peers += others(folder, stack.enter_context(rabbitmq()))
        results = measure(peers, client, sizes, say)
    found = [*figures(results), *by_itself(client, sizes)]
    if not sizes.is_bound:
        found = [replace(figure, at_least=None, at_most=None) for figure in found]
    pinned = cores()
    where = f"cores {pinned[0]} and {pinned[1]}" if pinned else "one core for all: no figures"
    say("\nW: broadcasts outstanding. CPU us each: the server's for one delivery, and how many")
    say("deliveries a second of one core that makes. ratio: how near to the first line, the limit")
    say("of the same minutes, which has 1; half as good has 0.5.\n")
    say("\n".join(tables(results, sizes)))
    say(f"\n{table(found)}\n\n{time.monotonic() - began:.0f} s in all, on {where}.")
    kept = folder / "fanout.json"
    everything = {
        "cores": pinned,
        "sizes": asdict(sizes),
        "servers": {name: result.as_json() for name, result in results.items()},
        "figures": [asdict(figure) for figure in found],
    }
    kept.write_text(json.dumps(everything, indent=2))
    say(f"All runs: {kept}")
    if sizes.with_others:
        plot(everything, folder)
    return status(found)


def plot(everything: Mapping[str, object], folder: Path) -> None:
    """Draw what was measured, where that can be done."""
    if not can_draw():
        say("Plots are left out: matplotlib is not there (deploy/bootstrap bench).")
        return
    for chart in charts(everything):
        say(f"Plot: {draw(chart, folder)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
