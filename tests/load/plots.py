"""
Plots of what the benchmarks have measured, as SVG files.

    python -m tests.load.plots docs/performance     # from the last run's figures

A chart is plain data, made without matplotlib, which only `draw` needs. Files in the benchmarks'
folder that another benchmark has drawn are taken along.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from deploy.stack.layout import state_folder

__all__ = ["Chart", "can_draw", "charts", "draw"]

# Of Okabe and Ito: told apart by the colour-blind, and in print.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
_INK = "#222222"


@dataclass(frozen=True)
class Chart:
    """
    Bars from the left to the right, in groups.

    Attributes:
        name: of the file, without its ending.
        title: what is shown, in words.
        axis: what the length of a bar is, with its unit.
        labels: a word for each group, from the top.
        series: name -> a value for each group, None where there is none; one bar in each group.
        is_log: whether each step along the axis is ten times the one before.
    """

    name: str
    title: str
    axis: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[float | None]]
    is_log: bool = False


def charts(kept: Mapping[str, Any]) -> list[Chart]:
    """Return the charts of what `tests.load.fanout` keeps; pure."""
    servers: Mapping[str, Any] = kept["servers"]
    connections = max(kept["sizes"]["connections"])
    per_second = kept["sizes"]["per_second"]
    cells = {
        (name, cell["outstanding"]): median(
            run["cpu_seconds"] / run["deliveries"] * 1e6 for run in cell["runs"]
        )
        for name, server in servers.items()
        for cell in server["windows"]
        if cell["connections"] == connections
    }
    rates = {
        name: rate["runs"]
        for name, server in servers.items()
        for rate in server["rates"]
        if rate["connections"] == connections
    }
    return [
        Chart(
            "cpu",
            f"CPU time for one delivery, {connections:,} connections",
            "microseconds, logarithmic",
            list(servers),
            {
                f"{window} outstanding": [cells.get((name, window)) for name in servers]
                for window in kept["sizes"]["windows"]
            },
            is_log=True,
        ),
        Chart(
            "latency",
            f"Latency of {per_second:g} broadcasts a second to {connections:,} connections",
            "milliseconds",
            list(rates),
            {
                word: [median(run[field] for run in runs) for runs in rates.values()]
                for word, field in (("p50", "p50_ms"), ("p99", "p99_ms"))
            },
        ),
        Chart(
            "memory",
            "Resident memory for one connection, without the kernel's",
            "KB",
            list(servers),
            {"": [server["bytes_per_connection"] / 1e3 for server in servers.values()]},
        ),
    ]


def can_draw() -> bool:
    """Tell whether matplotlib is there: `deploy/bootstrap bench` installs it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def draw(chart: Chart, folder: Path) -> Path:
    """Write a chart into a folder, and return the file."""
    import matplotlib

    # No display; text as text, and the same file for the same figures.
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "carillon"})
    from matplotlib import pyplot

    count = len(chart.series)
    thickness = 0.8 / count
    figure, axes = pyplot.subplots(figsize=(8, 1.2 + len(chart.labels) * (0.2 + 0.25 * count)))
    # Opaque: a page may be dark.
    figure.set_facecolor("white")
    axes.set_facecolor("white")
    for place, (name, values) in enumerate(chart.series.items()):
        bars = [(at, value) for at, value in enumerate(values) if value is not None]
        drawn = axes.barh(
            [at + (place - (count - 1) / 2) * thickness for at, _ in bars],
            [value for _, value in bars],
            thickness * 0.9,
            label=name,
            color=_COLOURS[place % len(_COLOURS)],
        )
        words = [_words(value) for _, value in bars]
        axes.bar_label(drawn, words, padding=3, fontsize=9, color=_INK)
    axes.set_yticks(range(len(chart.labels)), chart.labels, color=_INK)
    axes.invert_yaxis()
    if chart.is_log:
        axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_xlabel(chart.axis, color=_INK)
    axes.set_title(chart.title, loc="left", fontsize=11, color=_INK)
    axes.tick_params(colors=_INK, left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    if count > 1:
        axes.legend(frameon=False, fontsize=9, labelcolor=_INK)
    target = folder / f"{chart.name}.svg"
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return target


def _words(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main(arguments: list[str]) -> int:
    """Draw the last run anew, and copy all plots to the folder that is named."""
    if len(arguments) != 1:
        print("Say where to: python -m tests.load.plots docs/performance", file=sys.stderr)
        return 2
    if not can_draw():
        print("matplotlib is not there: deploy/bootstrap bench installs it.", file=sys.stderr)
        return 1
    folder, target = state_folder(os.environ) / "bench", Path(arguments[0])
    kept = folder / "fanout.json"
    if not kept.exists():
        print(f"There is no {kept}: run the benchmark first (make bench).", file=sys.stderr)
        return 1
    for chart in charts(json.loads(kept.read_text())):
        draw(chart, folder)
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.glob("*.svg")):
        shutil.copy(file, target)
        print(target / file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
