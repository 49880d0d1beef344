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
    # of so many seconds each,
    seconds: float
    # or so many where latency is measured, at so many broadcasts a second.
    rate_seconds: float
    per_second: float = 10
    # How often all subscribers come and go, after a first time.
    rounds: int = 1
    # What connections leave is collected after 5 s, and given back 7 s later.
    leave_seconds: float = 14.0
    # Clients beside those who stall and those who flood, and how often these come.
    good: int = 800
    stalled: int = 100
    flooding: int = 100
    crowds: int = 1
    crowd_seconds: float = 14.0
    # Whether the servers that are no bound are measured, too.
    with_others: bool = False
    # Whether figures are held against anything.
    is_bound: bool = True


QUICK = Sizes(connections=(5_000,), windows=(1, 16), repeats=3, seconds=1.0, rate_seconds=1.0)
FULL = Sizes(
    connections=(1_000, 5_000),
    windows=(1, 8, 16),
    repeats=5,
    seconds=1.0,
    rate_seconds=2.0,
    rounds=2,
    crowds=5,
    with_others=True,
)
# Shows that the benchmark works; its figures mean nothing.
SMOKE = Sizes(
    connections=(20, 40),
    windows=(1, 16),
    repeats=1,
    seconds=0.1,
    rate_seconds=0.5,
    leave_seconds=0.1,
    good=10,
    stalled=2,
    flooding=2,
    crowd_seconds=0.5,
    is_bound=False,
)
