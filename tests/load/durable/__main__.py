"""`python -m tests.load.durable`: how many messages one gateway stores, and how long each takes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from deploy.stack.layout import state_folder
from deploy.stack.stack import Stack
from tests.load.__main__ import private_stack, set_django_up
from tests.load.command import allow_files, said, say, status
from tests.load.durable.talkers import Said, Talkers
from tests.load.figures import Figure, table

# nginx, the web tier and the workers take no part.
SERVICES = (
    *("initdb", "postgresql", "database", "epmd", "rabbitmq", "migrate"),
    "gateway-1",
)
WARM_UP_SECONDS = 3.0
# What is asked for; and what is hoped for.
MIN_ACKS, AIM = 1_500, "2,000"
MAX_P99_MS = 50
CALM_PER_SECOND = 500.0
ROOMS = 10


@dataclass(frozen=True)
class Sizes:
    """How many speak and for how long; no figure is bound where they are few."""

    people: int
    seconds: float
    is_smoke: bool = False


FULL = Sizes(people=160, seconds=20)
QUICK = Sizes(people=160, seconds=5)
SMOKE = Sizes(people=5, seconds=1, is_smoke=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.durable", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="for a moment each")
    size.add_argument("--smoke", action="store_true", help="so few that figures mean nothing")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SMOKE if options.smoke else FULL
    return said(lambda: benchmark(sizes))


def benchmark(sizes: Sizes) -> int:
    """Measure, print and keep the figures; return the exit status."""
    # Before the environment is the private stack's.
    kept = state_folder(os.environ) / "bench" / "durable.json"
    allow_files(sizes.people)
    with private_stack() as stack:
        stack.start(*SERVICES)
        set_django_up(stack)
        figures = measured(stack, sizes)
    say(f"\n{table(figures)}\n\n{os.cpu_count()} cores for the stack and those who speak.")
    kept.parent.mkdir(parents=True, exist_ok=True)
    everything = {"sizes": asdict(sizes), "figures": [asdict(figure) for figure in figures]}
    kept.write_text(json.dumps(everything, indent=2))
    say(f"Kept: {kept}")
    return status(figures)


def measured(stack: Stack, sizes: Sizes) -> list[Figure]:
    """Sign people in, and let them talk: in one room, in many, and calmly in one."""
    # These know models, which exist only now.
    import psycopg

    from shared.accounts.models import User
    from shared.chat.actions import do_create_room
    from shared.chat.models import Message
    from tests.load.people import add_users, sign_in

    with psycopg.connect(stack.database_url, autocommit=True) as database:
        users = add_users(database, sizes.people + 1)
    owner = User.objects.get(pk=users[0])
    rooms = [f"durable-{number}" for number in range(ROOMS)]
    for room in rooms:
        do_create_room(owner, room)
    cookies = sign_in(users)

    def talk(where: list[str], per_second: float | None) -> Said:
        before = Message.objects.count()
        talkers = Talkers(
            f"http://127.0.0.1:{stack.layout.gateway(1)}",
            f"http://127.0.0.1:{stack.layout.port}",
            cookies,
            where,
        )
        try:
            warm = talkers.talk(WARM_UP_SECONDS, per_second)
            come = talkers.talk(sizes.seconds, per_second)
        finally:
            talkers.end()
        stored = Message.objects.count() - before - warm.acked
        say(f"  {come}, {stored} stored")
        if stored != come.acked:
            raise RuntimeError(f"{come.acked} were acknowledged and {stored} stored.")
        return come

    def bound(value: float) -> float | None:
        return None if sizes.is_smoke else value

    say(f"{sizes.people} people speak in a room, as fast as it goes.")
    fast = talk(rooms[:1], None)
    say(f"They speak in {ROOMS} rooms.")
    many = talk(rooms, None)
    say(f"They speak in a room, {CALM_PER_SECOND:g} times a second.")
    calm = talk(rooms[:1], CALM_PER_SECOND if not sizes.is_smoke else 20.0)
    return [
        *throughput("durable chat in a room", fast, bound, aim=AIM),
        *throughput(f"the same in {ROOMS} rooms", many, lambda _: None),
        Figure(f"acknowledged at {CALM_PER_SECOND:g}/s, p50", calm.p50_ms, "ms"),
        Figure("  p99", calm.p99_ms, "ms", at_most=bound(MAX_P99_MS)),
        Figure("  refused", calm.refused, "", at_most=0),
        Figure("  not heard in order", calm.disordered + calm.acked - calm.heard, "", at_most=0),
    ]


def throughput(
    name: str, come: Said, bound: Callable[[float], float | None], aim: str = ""
) -> list[Figure]:
    """Return the figures of a talk at full speed."""
    return [
        Figure(name, come.acked / come.seconds, "acks/s", at_least=bound(MIN_ACKS), aim=aim),
        Figure("  p50", come.p50_ms, "ms"),
        Figure("  p99", come.p99_ms, "ms"),
        Figure("  refused", come.refused, "", at_most=0),
        Figure("  not answered", come.sent - come.acked - come.refused, "", at_most=0),
        Figure("  disordered", come.disordered, "", at_most=0),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
