"""A rolling deployment under load: every process of Carillon is replaced by a new version."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.client import Session
from tests.rollout.absences import Absence
from tests.rollout.crowd import Crowd, open_crowd
from tests.rollout.held_web import HeldWeb, held_web
from tests.rollout.job import Job, add_people
from tests.rollout.sizes import Sizes
from tests.rollout.speakers import speaking
from tests.rollout.visitors import HalfSent, Visits, visiting
from tests.sdk.checker import Finding
from tests.sdk.trials.people import Person, make_people
from tests.servers import RunningStack

__all__ = ["Drained", "Outcome", "roll"]

MOMENT_SECONDS = 1.0
DRAINING = re.compile(r"Draining (\d+) connections in ([\d.]+) s")


@dataclass(frozen=True)
class Drained:
    """
    What became of one gateway.

    Attributes:
        name: `gateway-1`.
        began: when it was told to end, Unix seconds.
        ended: when its process had ended.
        connections, seconds: how many it had to send away, and in what time, in its own words; 0
            when it said nothing.
    """

    name: str
    began: float
    ended: float
    connections: int
    seconds: float


@dataclass
class Outcome:
    """
    What became of a deployment.

    Attributes:
        clients: how many there were.
        seconds: how long it took, as long as everybody spoke.
        messages, resent: how many were said, and of those again by their senders.
        findings: what the checker says of what the clients heard; empty when all is well.
        absences: of all clients.
        drained: the gateways, in order.
        visits: requests over HTTP.
        half_sent: the answers to requests that were half sent when the web tier was told to end.
        web_seconds: from then until it was ready again.
        recipients, job_mistakes: of the bulk job; and whether its worker was replaced in its midst.
        old: services that do not run the new version.
    """

    clients: int
    seconds: float = 0.0
    messages: int = 0
    resent: int = 0
    findings: list[Finding] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)
    drained: list[Drained] = field(default_factory=list)
    visits: Visits = field(default_factory=Visits)
    half_sent: list[str] = field(default_factory=list)
    web_seconds: float = 0.0
    recipients: int = 0
    job_mistakes: int = 0
    was_interrupted: bool = False
    old: list[str] = field(default_factory=list)


async def roll(
    stack: RunningStack,
    sizes: Sizes,
    *,
    revision: str = "",
    kill: bool = False,
    progress: Callable[[str], None] = print,
) -> Outcome:
    """
    Fill a stack with people who speak, then replace all of it, one process after the other.

    Args:
        stack: with as many gateways as the sizes say.
        sizes: how many people, and whether there is more than gateways to replace.
        revision: of the new version, which each new process must say that it is.
        kill: end the first gateway as a crash would, which must be noticed.
        progress: told what is done.
    """
    outcome = Outcome(sizes.clients)
    owner = await asyncio.to_thread(Session, stack.url, "alice")
    people = await asyncio.to_thread(make_people, stack, sizes.visitors)
    async with AsyncExitStack() as ending:
        web: HeldWeb | None = None
        if sizes.recipients:
            progress(f"{sizes.recipients:,} more people are added, for a bulk job.")
            await asyncio.to_thread(add_people, stack, sizes.recipients)
            web = await asyncio.to_thread(ending.enter_context, held_web(stack))
        progress(f"{sizes.js} JavaScript and {sizes.py} Python clients come.")
        crowd = await ending.enter_async_context(open_crowd(stack, owner, sizes))
        everywhere = [crowd.hall, *crowd.rooms]
        began = time.monotonic()
        async with (
            speaking(crowd.guests, sizes.spoken) as speakers,
            visiting(people, everywhere) as outcome.visits,
        ):
            await asyncio.sleep(sizes.quiet_seconds)
            if revision:
                settings = {**stack.stack.environment, "CARILLON_REVISION": revision}
                stack.stack.environment = settings
            for number in range(1, sizes.gateways + 1):
                is_killed = kill and number == 1
                progress(f"gateway-{number} is {'killed' if is_killed else 'drained'}.")
                outcome.drained.append(await _replace_gateway(stack, number, kill=is_killed))
            if web is not None:
                await _replace_web(stack, web, people, crowd, outcome, progress)
                await _replace_workers(stack, outcome, progress)
            await asyncio.sleep(sizes.quiet_seconds)
            outcome.seconds = time.monotonic() - began
        outcome.messages = crowd.messages
        outcome.resent = sum(speaker.resent for speaker in speakers)
        outcome.findings = await crowd.check()
        outcome.absences = crowd.absences
        if revision:
            names = [each.name for each in outcome.drained]
            names += ["web", "worker", "bulk", "beat"] if web is not None else []
            found = [await asyncio.to_thread(_revision_of, stack, name) for name in names]
            outcome.old = [n for n, each in zip(names, found, strict=True) if each != revision]
    return outcome


async def _replace_gateway(stack: RunningStack, number: int, *, kill: bool) -> Drained:
    name = f"gateway-{number}"
    offset = len(stack.log_text(name))
    began = time.time()
    server = stack.server(name)
    await asyncio.to_thread(server.kill if kill else server.stop)
    ended = time.time()
    said = DRAINING.search(stack.log_text(name)[offset:])
    await asyncio.to_thread(server.start)
    connections, seconds = said.groups() if said else ("0", "0")
    return Drained(name, began, ended, int(connections), float(seconds))


async def _replace_web(
    stack: RunningStack,
    web: HeldWeb,
    people: Sequence[Person],
    crowd: Crowd,
    outcome: Outcome,
    progress: Callable[[str], None],
) -> None:
    """Replace it while two requests are half sent: to nginx, and to gunicorn itself."""
    progress("The web tier is replaced.")
    halves = [HalfSent(url, people[0], crowd.rooms[0]) for url in (stack.url, stack.web_url)]
    for half in halves:
        await half.begin()
    # Until a thread of gunicorn's waits for the rest.
    await asyncio.sleep(MOMENT_SECONDS)
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def replace() -> float:
        began = time.monotonic()
        web.stop(lambda: loop.call_soon_threadsafe(told.set))
        web.start()
        return time.monotonic() - began

    replacing = asyncio.create_task(asyncio.to_thread(replace))
    await told.wait()
    # Until all its processes have heard of it.
    await asyncio.sleep(MOMENT_SECONDS)
    outcome.half_sent = await asyncio.gather(*(half.finish() for half in halves))
    outcome.web_seconds = await replacing


async def _replace_workers(
    stack: RunningStack, outcome: Outcome, progress: Callable[[str], None]
) -> None:
    job = await asyncio.to_thread(Job, stack)
    try:
        await asyncio.to_thread(job.wait_until_begun)
        for name in ("bulk", "worker", "beat"):
            progress(f"{name} is replaced; {job.told:,} of {job.recipients:,} are told.")
            await asyncio.to_thread(stack.server(name).stop)
            if name == "bulk":
                outcome.was_interrupted = not job.is_over
            await asyncio.to_thread(stack.server(name).start)
        await asyncio.to_thread(job.wait_until_over)
        outcome.recipients, outcome.job_mistakes = job.recipients, job.mistakes()
    finally:
        job.close()


def _revision_of(stack: RunningStack, service: str) -> str:
    """Return the version that a service says it runs."""
    text = httpx.get(f"{stack.internal_url(service)}/metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "carillon_build_info":
                return sample.labels["revision"]
    return ""
