"""
`python -m tests.compose`, behind `make test-compose`: the compose file, really brought up.

It prints what it does, then a table, and ends with 1 where anything in it is out of bounds. With an
engine that answers (DOCKER_HOST) it uses that one; else it starts one of its own, as root, and
leaves nothing of it behind. `--keep` leaves its images for the next time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.engine.base_images import base_images
from deploy.engine.client import Engine, engine_that_answers
from deploy.engine.plugin import with_compose
from deploy.engine.private import private_engine
from tests.compose import checks, shows
from tests.compose.site import Site, a_site
from tests.compose.talk import make_people
from tests.load.command import said, say, status
from tests.load.figures import Figure, table
from tests.processes import ROOT


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave a private engine's images")
    options = parser.parse_args(arguments)
    return said(lambda: run(keep=options.keep))


def run(*, keep: bool) -> int:
    """Show everything, print the table; return the exit status."""
    began = time.monotonic()

    def tell(line: str) -> None:
        say(f"{time.monotonic() - began:5.0f} s  {line}")

    state = Path(os.environ.get("CARILLON_STATE_DIR") or ROOT / ".state").resolve()
    forget_settings()
    with an_engine(state, tell, keep=keep) as engine:
        images = base_images(engine, tell)
        engine = with_compose(engine, ROOT, state / "compose", tell)
        with a_site(engine, images) as site:
            figures = show(site, tell)
        tell("Removed: containers, networks, volumes, images.")
    say(f"\n{table(figures)}\n\n{(time.monotonic() - began) / 60:.1f} minutes in all.")
    return status(figures)


def show(site: Site, tell: Callable[[str], None]) -> list[Figure]:
    tell("Building the images.")
    figures = checks.build_images(site)
    figures += checks.check_file(site)
    tell("Bringing everything up.")
    figures += checks.come_up(site)
    figures += checks.check_containers(site)
    figures += checks.scrape(site)
    figures += checks.check_as_operator(site)
    people = make_people(site, shows.PEOPLE)
    tell("Two people talk, each at another gateway.")
    figures += asyncio.run(shows.chat_between_gateways(site, people))
    tell("24 clients talk while gateways come and go.")
    figures += asyncio.run(shows.scale_under_chat(site, people))
    tell("A team's images take the place of ours.")
    figures += asyncio.run(shows.team_image(site, people))
    tell("Taking everything down.")
    return figures + checks.end_when_told(site)


@contextmanager
def an_engine(state: Path, tell: Callable[[str], None], *, keep: bool) -> Iterator[Engine]:
    """Find an engine, or start one."""
    if (engine := engine_that_answers()) is not None:
        tell(f"Using the engine at {os.environ.get('DOCKER_HOST', 'its usual address')}.")
        yield engine
        return
    with private_engine(state / "engine", tell, keep=keep) as engine:
        yield engine


def forget_settings() -> None:
    """Have nothing of this shell's reach the compose file, where it would come before .env."""
    for name in list(os.environ):
        if name.startswith(("CARILLON_", "COMPOSE_", "POSTGRES_")):
            del os.environ[name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
