"""`manage.py realtime_check`: is everything there that this deployment needs, and set right?"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.checks import CheckMessage, run_checks
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from shared.operations import databases, proxies
from shared.operations.checks import SETTINGS, server_probes
from shared.operations.gateways import Address, InvalidAddress
from shared.operations.looking import Looked, look_at_all
from shared.operations.processes import InvalidProcesses, Processes
from shared.operations.reports import as_json, lines

__all__ = ["Command"]


class Command(BaseCommand):
    help = (
        "Look at settings, this machine, RabbitMQ, the database and, with --url, at what stands in "
        "front, with the eyes of this service. One line per finding, and what to do about it; "
        "exit status 1 where one is an error. docs/operations.md lists them."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url", help="where browsers find this deployment, such as https://chat.example.org"
        )
        parser.add_argument(
            "--through",
            metavar="HOST:PORT",
            help="where to connect to for that, such as nginx:8000, where the public name leads "
            "elsewhere or nowhere from here",
        )
        parser.add_argument(
            "--processes",
            metavar="web=8,gateway=3,worker=4",
            help="how many processes share the database; counted and guessed unless you say so",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            processes = Processes.read(options["processes"]) if options["processes"] else None
            through = Address.read(options["through"]) if options["through"] else None
        except (InvalidProcesses, InvalidAddress) as error:
            raise CommandError(str(error)) from error
        probes: dict[str, Callable[[], Looked]] = {
            **server_probes(),
            "database": partial(databases.look, processes),
        }
        if options["url"]:
            probes["proxy"] = partial(proxies.look, options["url"], through)
        findings: list[CheckMessage] = []
        # Some of Django's own ask the database, whose absence is told below.
        with contextlib.suppress(DatabaseError):
            findings += run_checks()
        findings += run_checks(tags=[SETTINGS], include_deployment_checks=True)
        seen = look_at_all(probes)
        for looked in seen.values():
            findings += looked.findings
        facts = {name: looked.facts for name, looked in seen.items() if looked.facts}
        if options["json"]:
            self.stdout.write(json.dumps(as_json(facts, findings), indent=2))
        else:
            for line in lines(facts, findings):
                self.stdout.write(line)
        if any(finding.is_serious() for finding in findings):
            raise SystemExit(1)
