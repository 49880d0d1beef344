"""What was measured, what it is held against, and the table that says so. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Figure", "percentile", "table"]


@dataclass(frozen=True)
class Figure:
    """
    One line of the table.

    Attributes:
        name: what was measured.
        value: how much; infinite where it could not be measured.
        unit: of value and bounds.
        at_least: the run fails below it.
        at_most: the run fails above it.
        aim: what is hoped for beyond the bound, in words.
    """

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    aim: str = ""

    @property
    def is_bound(self) -> bool:
        """Whether it decides the exit status."""
        return self.at_least is not None or self.at_most is not None

    @property
    def falls_short(self) -> bool:
        """Whether it breaks its bound; what could not be measured breaks any."""
        if self.is_bound and not math.isfinite(self.value):
            return True
        return (self.at_least is not None and self.value < self.at_least) or (
            self.at_most is not None and self.value > self.at_most
        )

    @property
    def bound(self) -> str:
        """The bound in words."""
        if self.at_least is not None and self.at_least == self.at_most:
            return f"= {_number(self.at_least)}"
        parts = []
        if self.at_least is not None:
            parts.append(f">= {_number(self.at_least)}")
        if self.at_most is not None:
            parts.append(f"<= {_number(self.at_most)}")
        return ", ".join(parts)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of all stay below; infinity of none."""
    if not values:
        return math.inf
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def table(figures: Sequence[Figure]) -> str:
    """Return all figures as lines of text, in columns."""
    rows = [("", "measured", "bound", "aim", "")]
    for figure in figures:
        verdict = "FALLS SHORT" if figure.falls_short else "ok" if figure.is_bound else ""
        value = f"{_number(figure.value)} {figure.unit}"
        rows.append((figure.name, value, figure.bound, figure.aim, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for name, value, bound, aim, verdict in rows:
        cells = (
            name.ljust(widths[0]),
            value.rjust(widths[1]),
            bound.ljust(widths[2]),
            aim.ljust(widths[3]),
            verdict,
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "?"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"
