"""`manage.py realtime_top`: who is connected where, and how much happens there, live."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from shared.operations.gateways import Address, GatewayRow, InvalidAddress, Scraper, reported
from shared.operations.screen import table

__all__ = ["Command"]

_NOBODY = (
    "No gateway holds a lease in this database: none runs, or this is another deployment's "
    "database. With --metrics host:port a gateway is asked itself."
)
# To the upper left, and nothing below what follows.
_HOME, _CLEAR_REST, _CLEAR_LINE = "\x1b[H", "\x1b[J", "\x1b[K"
_LEAST_SECONDS, _BETWEEN_SECONDS = 0.2, 1.0


class Command(BaseCommand):
    help = (
        "Show connections and rates of each gateway, live; Ctrl-C ends it. What gateways write "
        "into the database every ten seconds, or what their metrics say at this moment."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--metrics",
            action="append",
            metavar="HOST:PORT",
            default=[],
            help="ask this internal port instead of the database; repeatable; a name that stands "
            "for several addresses, as of a headless service, is all of them",
        )
        parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS")
        parser.add_argument("--once", action="store_true", help="show it once and end")
        parser.add_argument("--json", action="store_true", help="one JSON object in a line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            places = [Address.read(text) for text in options["metrics"]]
        except InvalidAddress as error:
            raise CommandError(str(error)) from error
        read: Callable[[], list[GatewayRow]] = reported
        if places:
            scraper = Scraper(places)
            read = scraper.read
        try:
            if options["once"]:
                self._once(read, is_scraped=bool(places), as_json=options["json"])
            else:
                self._live(read, max(_LEAST_SECONDS, options["every"]), as_json=options["json"])
        except KeyboardInterrupt:
            self.stdout.write("")

    def _once(
        self, read: Callable[[], list[GatewayRow]], *, is_scraped: bool, as_json: bool
    ) -> None:
        try:
            rows = read()
            if is_scraped:
                # Rates are of the time between two readings.
                time.sleep(_BETWEEN_SECONDS)
                rows = read()
        except DatabaseError as error:
            raise CommandError(f"The database does not answer: {error}") from error
        self._show(rows, as_json=as_json)
        if not any(row.state != "away" for row in rows):
            raise CommandError(_NOBODY if not rows else "None of these addresses answers.")

    def _live(self, read: Callable[[], list[GatewayRow]], seconds: float, *, as_json: bool) -> None:
        while True:
            began = time.monotonic()
            try:
                rows, words = read(), ""
            except DatabaseError as error:
                # Whoever watches wants to see it come back.
                rows, words = [], f"The database does not answer: {error}".strip()
            self._show(rows, words, as_json=as_json, is_live=True)
            time.sleep(max(0.0, seconds - (time.monotonic() - began)))

    def _show(
        self,
        rows: Sequence[GatewayRow],
        words: str = "",
        *,
        as_json: bool,
        is_live: bool = False,
    ) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if as_json:
            shown = {"ts": now, "gateways": [asdict(row) for row in rows], "error": words}
            self.stdout.write(json.dumps(shown))
        else:
            lines = [now, "", *(table(rows) if rows else [words or _NOBODY])]
            if is_live and self.stdout.isatty():
                text = "".join(f"{line}{_CLEAR_LINE}\n" for line in lines)
                self.stdout.write(f"{_HOME}{text}{_CLEAR_REST}", ending="")
            elif is_live:
                self.stdout.write("\n".join([*lines, ""]))
            elif rows:
                self.stdout.write("\n".join(lines[2:]))
        self.stdout.flush()
