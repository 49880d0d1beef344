"""What a dashboard is made of: rows of panels, and panels of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Dashboard", "Kind", "Panel", "Query", "Row", "Step", "Unit"]


class Unit(StrEnum):
    """How Grafana writes values; its own identifiers."""

    COUNT = "short"
    SHARE = "percentunit"
    SECONDS = "s"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"
    EVENTS_PER_SECOND = "cps"
    MESSAGES_PER_SECOND = "mps"
    REQUESTS_PER_SECOND = "reqps"
    STATE = "bool_yes_no"


class Kind(StrEnum):
    """How a panel shows its values; Grafana's own identifiers."""

    GRAPH = "timeseries"
    NUMBER = "stat"
    HEATMAP = "heatmap"
    STATES = "state-timeline"
    TABLE = "table"


@dataclass(frozen=True)
class Query:
    """One question to Prometheus; the legend names its series, by their labels in `{{}}`."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Step:
    """From this value on a panel has this colour."""

    value: float
    color: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture. Its title names it within the dashboard."""

    title: str
    # What it shows, and what to make of it.
    description: str
    unit: Unit
    queries: Sequence[Query]
    kind: Kind = Kind.GRAPH
    # Of 24 columns.
    width: int = 8
    height: int = 7
    # Ascending; below the first one it is green. None where no value is good or bad by itself.
    steps: Sequence[Step] = ()
    # Values add up to something: they are drawn on top of each other.
    is_stacked: bool = False
    # The end of the scale, where it is known.
    most: float | None = None
    # Columns of a table that people do not need.
    hidden: Sequence[str] = ()


@dataclass(frozen=True)
class Row:
    """Panels about one thing, side by side as long as there is room."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One page."""

    # Part of its address: it must never change.
    uid: str
    title: str
    # The question that it answers.
    description: str
    rows: Sequence[Row]
    # Matchers of carillon_build_info: whose jobs and instances can be chosen.
    services: str = ""
    # Servers beside Carillon whose jobs can be chosen: variable -> a metric that each has.
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def panels(self) -> list[Panel]:
        """All of them, in order."""
        return [panel for row in self.rows for panel in row.panels]
