"""How many processes share the database, and how many connections their pools may open."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings

from shared.presence.clients import LEASE_SECONDS
from shared.presence.clock import ago
from shared.presence.models import Lease
from shared.settings import env

__all__ = ["KINDS", "InvalidProcesses", "Processes"]

# What can be counted: gunicorn's workers, gateways, children of Celery's workers.
KINDS = ("web", "gateway", "worker")
_USUAL = {"gateway": 1, "worker": 4}
# The exporters beside web, both workers and beat, each of which asks with one.
_PROBES = 4


class InvalidProcesses(ValueError):
    """
    Something that does not say how many processes there are.

    Attributes:
        given: what it was.
    """

    def __init__(self, given: str) -> None:
        self.given = given

    def __str__(self) -> str:
        kinds = ",".join(f"{kind}={_USUAL.get(kind, 8)}" for kind in KINDS)
        return f"{self.given!r} says not how many processes there are: write {kinds}."


@dataclass(frozen=True)
class Processes:
    """
    Processes by kind.

    Attributes:
        numbers: how many of each kind.
    """

    numbers: Mapping[str, int]

    @classmethod
    def read(cls, text: str) -> Self:
        """
        Read `web=8,gateway=3,worker=4`; kinds that are left out are as many as usual.

        Raises:
            InvalidProcesses: it has another form.
        """
        given = {}
        for part in text.split(","):
            kind, _, number = part.strip().partition("=")
            if kind not in KINDS or not number.isascii() or not number.isdigit():
                raise InvalidProcesses(text)
            given[kind] = int(number)
        return cls({"web": _web_workers(), **_USUAL, **given})

    @classmethod
    def known(cls, ask: Callable[[str], Sequence[Sequence[Any]]] | None) -> Self:
        """
        Count the gateways that have a lease; take the usual number of all others.

        Args:
            ask: asks the database; None while there is nothing to ask it for.
        """
        gateways = 0
        if ask is not None:
            table = Lease._meta.db_table
            sql = f"SELECT count(*) FROM {table} WHERE beat > {ago(LEASE_SECONDS)}"  # noqa: S608
            [[gateways]] = ask(sql)
        return cls({"web": _web_workers(), **_USUAL, "gateway": gateways or 1})

    @property
    def sum(self) -> int:
        """How many connections they may open."""
        each = _pools()
        return sum(self.numbers[kind] * each[kind] for kind in KINDS) + _PROBES

    def __str__(self) -> str:
        each = _pools()
        parts = [f"{self.numbers[kind]} {kind} x {each[kind]}" for kind in KINDS]
        return f"{', '.join(parts)} and {_PROBES} probes"


def _pools() -> dict[str, int]:
    """Return how many connections a process of each kind may open, by these settings."""
    pool = env.integer("CARILLON_DATABASE_POOL_CONNECTIONS", 4, minimum=1)
    # Each of a gateway's threads may hold one, and so may the one that watches.
    threads = getattr(
        settings,
        "CARILLON_GATEWAY_DATABASE_THREADS",
        env.integer("CARILLON_GATEWAY_DATABASE_THREADS", 4, minimum=1, maximum=64),
    )
    return {"web": pool, "gateway": threads + 1, "worker": pool}


def _web_workers() -> int:
    return env.integer("CARILLON_WEB_WORKERS", 2 * (os.cpu_count() or 1), minimum=1)
