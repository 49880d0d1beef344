"""How much a rolling deployment is tried with."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "SMOKE", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """
    Attributes:
        gateways: replaced one after the other.
        js, py: clients of npm's `centrifuge` and of PyPI's `centrifuge-python`.
        drivers: Node processes that the former live in.
        rooms: among which the clients are spread; all of them are in one hall, too.
        spoken: messages that clients say each second.
        visitors: people who say one more each second over HTTP, and read a page.
        per_second: messages that must come of it in all.
        recipients: of a bulk job that goes on while its workers are replaced; 0 leaves web, workers
            and beat as they are.
        quiet_seconds: before the first gateway goes and after all is done, so that there is
            something to lose.
    """

    gateways: int
    js: int
    py: int
    drivers: int
    rooms: int
    spoken: float
    visitors: int
    per_second: float
    recipients: int
    quiet_seconds: float = 3.0

    @property
    def clients(self) -> int:
        return self.js + self.py


FULL = Sizes(3, 240, 60, 3, rooms=20, spoken=44, visitors=10, per_second=50, recipients=200_000)
QUICK = Sizes(2, 80, 20, 2, rooms=7, spoken=18, visitors=4, per_second=20, recipients=150_000)
# Of a test that shares its stack with others.
SMOKE = Sizes(
    2, 12, 4, 1, rooms=2, spoken=11, visitors=1, per_second=5, recipients=0, quiet_seconds=1
)
