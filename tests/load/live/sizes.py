"""How much is done in one run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "SMOKE", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """The numbers of one run."""

    # Connections opened in one round of accepts, half of each endpoint; the figure is the median
    # of so many rounds, after one to warm up.
    accepts: int
    rounds: int
    # Memory is what the connections from the first to the second number take.
    few: int
    many: int
    # How often `many` of each endpoint come and go until memory is compared.
    returns: int
    # For how long latency is measured, at so many messages a second.
    seconds: float
    # Those who listen in the room where others misbehave, and how many of each sort misbehave.
    listeners: int
    misfits: int
    # For how long before, and while they do; a latency is the median of so many windows of each.
    calm_seconds: float
    storm_seconds: float
    windows: int
    # What the room carries meanwhile.
    storm_per_second: float
    per_second: float = 10
    # Whether so few took part that figures mean nothing, and none is bound.
    is_smoke: bool = False

    @property
    def people(self) -> int:
        """How many users there are: each connection has its own."""
        return max(self.many, self.accepts, self.listeners + 2 * self.misfits)


FULL = Sizes(
    accepts=1_000,
    rounds=5,
    few=1_000,
    many=5_000,
    returns=2,
    seconds=15,
    listeners=800,
    misfits=100,
    calm_seconds=20,
    storm_seconds=20,
    windows=5,
    storm_per_second=10,
)
QUICK = Sizes(
    accepts=400,
    rounds=5,
    few=500,
    many=2_000,
    returns=1,
    seconds=3,
    listeners=400,
    misfits=50,
    calm_seconds=3,
    storm_seconds=6,
    windows=3,
    storm_per_second=10,
)
# Shows that the benchmark works; its figures mean nothing.
SMOKE = Sizes(
    accepts=20,
    rounds=1,
    few=20,
    many=60,
    returns=1,
    seconds=1,
    listeners=20,
    misfits=5,
    calm_seconds=1,
    storm_seconds=2,
    windows=1,
    storm_per_second=10,
    is_smoke=True,
)
