"""How often something may be done. Pure: the caller brings the clock."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Rate"]


@dataclass(frozen=True)
class Rate:
    """
    `count` times within `seconds`, all at once if need be, and then at the same pace for ever.

    What is kept of a budget is one time: when it will be whole again. Each use moves it on by
    `cost` seconds, and a use that would move it further ahead than `seconds` is refused.
    """

    count: int
    seconds: float

    @property
    def cost(self) -> float:
        """How many seconds one use takes to be made up for."""
        return self.seconds / self.count

    def wait(self, whole_at: float, now: float, uses: int = 1) -> float:
        """Return in how many seconds the next use is allowed, or so many; 0 if it is now."""
        return max(0.0, whole_at + self.cost * uses - self.seconds - now)
