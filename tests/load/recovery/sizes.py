"""How much is done in one run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "SMOKE", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """The numbers of one run."""

    # Clients that subscribe one after the other, and how many publications each has missed.
    returning: int
    # Those who come back all at once, to so many rooms.
    storm: int
    storm_rooms: int
    # Who is in a room already, and who comes to it.
    members: int
    joiners: int
    # What one who comes back has missed.
    missed: int = 100
    # Subscriptions in a second, where they come one after the other.
    per_second: float = 100
    # What is said in all rooms of the storm meanwhile, a second.
    storm_per_second: float = 20
    # Whether so few took part that figures mean nothing, and none is bound.
    is_smoke: bool = False

    @property
    def people(self) -> int:
        """How many users there are: each connection has its own."""
        return max(self.returning, self.storm, self.members + self.joiners)


FULL = Sizes(returning=2_000, storm=3_000, storm_rooms=10, members=5_000, joiners=1_000)
QUICK = Sizes(returning=500, storm=3_000, storm_rooms=10, members=5_000, joiners=500)
# Shows that the benchmark works; its figures mean nothing.
SMOKE = Sizes(
    returning=20,
    storm=60,
    storm_rooms=3,
    members=30,
    joiners=10,
    missed=20,
    per_second=20,
    is_smoke=True,
)
