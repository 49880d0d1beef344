"""How much is done in one run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "SMOKE", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """The numbers of one run."""

    # Subscribers; more of them join those that are there.
    connections: tuple[int, ...]
    # Broadcasts outstanding.
    windows: tuple[int, ...]
    # Each figure is the median of so many runs,
    repeats: int
    # of so many seconds each.
    seconds: float
    # For how long latency is measured, at so many broadcasts a second.
    rate_seconds: float
    per_second: float = 10
    # Whether the servers that are no bound are measured, too.
    with_others: bool = False


QUICK = Sizes(
    connections=(1_000, 5_000), windows=(1, 8, 16), repeats=3, seconds=1.0, rate_seconds=3.0
)
FULL = Sizes(
    connections=(1_000, 5_000),
    windows=(1, 8, 16),
    repeats=5,
    seconds=2.0,
    rate_seconds=10.0,
    with_others=True,
)
# Shows that the benchmark works; its figures mean nothing.
SMOKE = Sizes(connections=(20, 40), windows=(1, 16), repeats=1, seconds=0.1, rate_seconds=0.5)
