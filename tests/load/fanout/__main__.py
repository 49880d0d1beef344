"""`python -m tests.load.fanout`, behind `make bench` and `make bench-quick`."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from deploy.stack.errors import StackError
from deploy.stack.layout import Layout, state_folder
from deploy.stack.processes import uninterrupted
from deploy.stack.stack import Stack
from tests.load.__main__ import OTHER_FILES, allow_files, interrupt
from tests.load.fanout.measure import figures, matrix, measure
from tests.load.fanout.peers import Peer, gateway, nchan, node, reference, slow_gateway, tutorial
from tests.load.fanout.programs import compiled, cores
from tests.load.fanout.sizes import FULL, QUICK, SMOKE, Sizes
from tests.load.figures import table


def say(line: str) -> None:
    print(line, flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.fanout", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="within 2 minutes; what is bound alone")
    size.add_argument("--smoke", action="store_true", help="so few that figures mean nothing")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SMOKE if options.smoke else FULL
    # `kill` shall clean up like Ctrl-C does, which a shell may have told background jobs to ignore.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    folder = state_folder(os.environ) / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        allow_files(max(sizes.connections) + OTHER_FILES)
        with (folder / "running").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    f"Another benchmark runs in {folder}: wait for it to end, then try again."
                ) from None
            return run(sizes, folder)
    except (StackError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing of the benchmark runs.", file=sys.stderr)
        return 130


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


def run(sizes: Sizes, folder: Path) -> int:
    """Measure, print and keep the figures; return the exit status."""
    began = time.monotonic()
    with ExitStack() as stack:
        peers = [reference(folder), gateway()]
        if sizes.with_others:
            peers += others(folder, stack.enter_context(rabbitmq()))
        results = measure(peers, compiled("client", folder), sizes, say)
    found = figures(results)
    pinned = cores()
    where = f"cores {pinned[0]} and {pinned[1]}" if pinned else "one core for all: no figures"
    say(
        "\nW: broadcasts outstanding. us each: the server's CPU time for one delivery, and how many"
    )
    say("deliveries a second of that make. ratio: the reference's time as a share of the server's.")
    say(f"Latency: at {sizes.per_second:g} broadcasts a second.\n")
    say("\n".join(matrix(results)))
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
    short = [figure for figure in found if figure.falls_short]
    if short:
        print(f"{len(short)} of the figures fall short.", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
