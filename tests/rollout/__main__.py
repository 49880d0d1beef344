"""
`python -m tests.rollout`, behind `make test-rollout`: a rolling deployment that loses nothing.

All gateways, then web, workers and beat are replaced by a new version, one after the other, on a
stack of its own under load. It prints a table, and ends with 1 where anything in it falls short.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
import time

from tests.load.command import allow_files, said, say, status
from tests.load.figures import Figure, percentile, table
from tests.rollout.absences import Returns
from tests.rollout.roll import Drained, Outcome, roll
from tests.rollout.sizes import FULL, QUICK, Sizes
from tests.sdk.checker import Defect
from tests.servers import SETTINGS, RunningStack, temporary_stack

__all__ = ["figures_of", "main"]

OLD, NEW = "the-old-version", "the-new-version"
# What the server says to those whom it sends away.
SHUTDOWN = 3001
LOST = {Defect.LOST, Defect.HOLE, Defect.GAP, Defect.TAIL, Defect.DEAF, Defect.REFUSED}
DOUBLED = {Defect.STORED_TWICE, Defect.REPEAT}
# Beyond the time over which a gateway sends its clients away.
END_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rollout", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60 clients, a minute")
    parser.add_argument(
        "--kill", action="store_true", help="kill the first gateway: must fall short"
    )
    options = parser.parse_args(arguments)
    return said(lambda: run(QUICK if options.quick else FULL, kill=options.kill))


def run(sizes: Sizes, *, kill: bool) -> int:
    """Deploy a new version under load, print the figures; return the exit status."""
    began = time.monotonic()
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores:
        say(f"Other work keeps this machine busy (a load of {load:.0f}): times will be longer.")
    allow_files(sizes.clients)
    with temporary_stack({**SETTINGS, "CARILLON_REVISION": OLD}) as stack:
        stack.up(sizes.gateways)
        running = RunningStack(stack)
        outcome = asyncio.run(roll(running, sizes, revision=NEW, kill=kill, progress=say))
    for each in complaints_of(outcome)[:20]:
        say(f"  {each}")
    figures = figures_of(outcome, sizes)
    say(f"\n{table(figures)}\n\n{time.monotonic() - began:.0f} s in all.")
    return status(figures)


def complaints_of(outcome: Outcome) -> list[str]:
    """Say in words what went wrong."""
    codes = sorted({each.code for each in outcome.absences} - {SHUTDOWN})
    return [
        *(str(finding) for finding in outcome.findings),
        *(f"a connection ended with {code}" for code in codes),
        *outcome.visits.failed,
        *(answer for answer in outcome.half_sent if " 201 " not in f"{answer} "),
        *(f"{name} is still the old version" for name in outcome.old),
    ]


def figures_of(outcome: Outcome, sizes: Sizes) -> list[Figure]:
    """Hold what was found against what must be."""
    figures = [
        Figure("clients", outcome.clients, ""),
        Figure(
            "messages a second",
            outcome.messages / outcome.seconds,
            "",
            at_least=sizes.per_second,
        ),
        Figure("messages in all", outcome.messages, ""),
        Figure("of those, sent again by their senders", outcome.resent, ""),
        *_checked(outcome),
        *_absent(outcome),
    ]
    for gateway in outcome.drained:
        figures += _drained(gateway, outcome)
    if sizes.recipients:
        figures += _web(outcome)
        figures += _job(outcome)
        figures.append(Figure("processes of the old version left", len(outcome.old), "", 0, 0))
    figures += _requests(outcome)
    return figures


def _checked(outcome: Outcome) -> list[Figure]:
    defects = [finding.defect for finding in outcome.findings]
    lost = sum(defect in LOST for defect in defects)
    doubled = sum(defect in DOUBLED for defect in defects)
    other = len(defects) - lost - doubled
    return [
        Figure("lost", lost, "", 0, 0),
        Figure("doubled", doubled, "", 0, 0),
        Figure("out of order, or not what was said", other, "", 0, 0),
    ]


def _absent(outcome: Outcome) -> list[Figure]:
    absences = outcome.absences
    unexplained = sum(each.code != SHUTDOWN for each in absences)
    seconds = [each.seconds for each in absences]
    return [
        Figure("connections that ended", len(absences), "", at_least=outcome.clients),
        Figure("of those, without a close code", unexplained, "", 0, 0),
        Figure("away from its room: median", percentile(seconds, 0.5), "s"),
        Figure("away from its room: p99", percentile(seconds, 0.99), "s", at_most=3),
        Figure("away from its room: longest", max(seconds, default=0), "s"),
    ]


def _drained(gateway: Drained, outcome: Outcome) -> list[Figure]:
    name = gateway.name
    returned = _returned(gateway, outcome)
    mean = returned.per_second
    return [
        Figure(f"{name}: connections sent away", gateway.connections, "", at_least=1),
        Figure(f"{name}: over", gateway.seconds, "s"),
        Figure(
            f"{name}: ended after",
            gateway.ended - gateway.began,
            "s",
            at_most=gateway.seconds + END_SECONDS,
        ),
        Figure(f"{name}: returns a second, mean over that time", mean, ""),
        Figure(f"{name}: in the busiest second", returned.busiest_second, "", at_most=2 * mean),
    ]


def _returned(gateway: Drained, outcome: Outcome) -> Returns:
    """Return how those whom a gateway sent away came back."""
    later = [each.began for each in outcome.drained if each.began > gateway.began]
    until = min(later, default=math.inf)
    times = [e.connected for e in outcome.absences if gateway.began <= e.began < until]
    return Returns(times, gateway.seconds)


def _web(outcome: Outcome) -> list[Figure]:
    answered = sum(" 201 " in f"{answer} " for answer in outcome.half_sent)
    return [
        Figure("web: from SIGTERM to ready again", outcome.web_seconds, "s"),
        Figure("web: half-sent requests answered", answered, "", at_least=len(outcome.half_sent)),
    ]


def _job(outcome: Outcome) -> list[Figure]:
    interrupted = int(outcome.was_interrupted)
    return [
        Figure("bulk job: recipients", outcome.recipients, ""),
        Figure("bulk job: its worker was replaced in its midst", interrupted, "", at_least=1),
        Figure("bulk job: not told, or twice", outcome.job_mistakes, "", 0, 0),
    ]


def _requests(outcome: Outcome) -> list[Figure]:
    seconds = outcome.visits.seconds
    return [
        Figure("HTTP requests", len(seconds), "", at_least=1),
        Figure("HTTP requests that failed", len(outcome.visits.failed), "", 0, 0),
        Figure("HTTP requests: p99", percentile(seconds, 0.99), "s"),
        Figure("HTTP requests: slowest", max(seconds, default=0), "s"),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
