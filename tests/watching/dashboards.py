"""The committed dashboards as Prometheus is asked for them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "Target", "Variables", "dashboards", "filled", "targets", "variables"]

FOLDER = Path(__file__).resolve().parents[2] / "deploy/k8s/chart/dashboards"

# What a counter's query does with a window: the change of each series, without extrapolation. One
# that was born in the window has come from nothing.
_RATE = re.compile(r"rate\((\w+\{[^{}]*\})\[\$__rate_interval\]\)")
_CHANGE = r"((\1 - \1 offset $__rate_interval) or \1)"
# A sum of how much counters grow, and nothing made of it.
_SUM_OF_RATES = re.compile(r"(?:topk\(10, )?sum(?: by \([^)]*\))? \(rate\([^()]*\)\)\)?(?: > 0)?")
_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")
_LABEL = re.compile(r"\{\{(\w+)\}\}")

type Variables = Mapping[str, str]


@dataclass(frozen=True)
class Target:
    """One query of a panel."""

    dashboard: str
    panel: str
    legend: str
    expression: str
    unit: str

    @property
    def name(self) -> str:
        """Panel and, where it has several lines of one series each, the line."""
        is_named = self.legend not in {"", "__auto"} and not self.labels
        return f"{self.panel}: {self.legend}" if is_named else self.panel

    @property
    def labels(self) -> list[str]:
        """The labels that name its series."""
        return _LABEL.findall(self.legend)

    @property
    def is_rate(self) -> bool:
        """Whether it asks how many there are in a second."""
        return _SUM_OF_RATES.fullmatch(self.expression) is not None

    def asked(self, window: int, variables: Variables) -> str:
        """Return the query as Grafana sends it, with a window of so many seconds."""
        return filled(self.expression, window, variables)

    def counted(self, window: int, variables: Variables) -> str | None:
        """Return what asks for the change over the window; None where there is no rate."""
        changes, found = _RATE.subn(_CHANGE, self.expression)
        return filled(changes, window, variables) if found else None


def filled(expression: str, window: int, variables: Variables) -> str:
    """Put values in place of a dashboard's variables."""
    text = expression.replace("$__rate_interval", f"{window}s")
    return re.sub(r"\$(\w+)", lambda match: variables[match[1]], text)


def dashboards() -> list[dict[str, Any]]:
    """Return the dashboards as they are shipped."""
    return [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]


def targets() -> list[Target]:
    """Return every query of every panel."""
    return [
        Target(
            *(found["uid"], panel["title"], target["legendFormat"], target["expr"]),
            panel["fieldConfig"]["defaults"]["unit"],
        )
        for found in dashboards()
        for panel in found["panels"]
        for target in panel.get("targets", ())
    ]


def variables(dashboard: Mapping[str, Any], values: Callable[[str, str], list[str]]) -> Variables:
    """
    Choose All everywhere, as Grafana does it.

    Args:
        dashboard: whose.
        values: asked for a label's values among the series of a selector.
    """
    chosen: dict[str, str] = {}
    for one in dashboard["templating"]["list"]:
        if one["type"] != "query":
            continue
        found = _LABEL_VALUES.fullmatch(one["definition"])
        assert found is not None, one["definition"]
        if one["allValue"] is not None:
            chosen[one["name"]] = one["allValue"]
        else:
            names = values(filled(found[1], 1, chosen), found[2])
            chosen[one["name"]] = f"({'|'.join(re.escape(name) for name in names)})".replace(
                "\\-", "-"
            )
    return chosen
