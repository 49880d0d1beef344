"""`manage.py drain`: send a gateway's clients to the others, then end it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from shared.operations.draining import CannotDrain, Draining, draining_of

__all__ = ["Command"]

_USUAL_SECONDS = 120
_STEP_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Send the clients of gateways elsewhere, then end them, as SIGTERM does. By name, as "
        "`realtime_top` shows it, through the log; or by host:port of the internal port."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("gateways", nargs="+", metavar="GATEWAY", help="a name, or host:port")
        parser.add_argument(
            "--wait",
            nargs="?",
            type=float,
            const=_USUAL_SECONDS,
            metavar="SECONDS",
            help="show how many are left until the gateways have ended, for 120 s unless you say "
            "so; exit status 1 where one has not",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = draining_of(options["gateways"])
            for one in found:
                one.begin()
                self.stdout.write(f"{one.name} is told to drain.")
        except CannotDrain as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database does not answer ({error}): drain by host:port instead."
            ) from error
        if options["wait"] is not None:
            self._wait(found, options["wait"])

    def _wait(self, found: Sequence[Draining], seconds: float) -> None:
        began = time.monotonic()
        said: dict[str, str] = {}
        left = list(found)
        while left and time.monotonic() - began < seconds:
            for one in list(left):
                try:
                    words = self._how(one)
                except DatabaseError:
                    # Nobody knows; it drains all the same.
                    continue
                if words is None:
                    left.remove(one)
                    words = f"has ended after {time.monotonic() - began:.1f} s."
                if said.get(one.name) != words:
                    said[one.name] = words
                    self.stdout.write(f"{one.name} {words}")
                    self.stdout.flush()
            if left:
                time.sleep(_STEP_SECONDS)
        if left:
            names = ", ".join(one.name for one in left)
            raise CommandError(f"Still there after {seconds:g} s: {names}.")

    def _how(self, one: Draining) -> str | None:
        row = one.look()
        if row is None:
            return None
        count = "an unknown number of" if row.connections is None else f"{row.connections:,}"
        state = "drains" if row.state == "draining" else "has not said that it drains"
        # What it said last, where it says so every ten seconds.
        return f"{state}: {count} connections."
