"""
The contract between dashboards and gateways, web and workers: every panel shows what was done.

A load is driven that counts what it does. Then every query of every panel is asked of a Prometheus
that has scraped the stack meanwhile, and compared.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tests.servers import RunningStack
from tests.watching.dashboards import Target, Variables, dashboards, filled, targets, variables
from tests.watching.expectations import EXPECTED, OURS, Band, Count, Expected, Facts, Unseen
from tests.watching.load import Load, People
from tests.watching.prometheus import SCRAPE_SECONDS, Prometheus, Series, watched
from tests.watching.sizes import REHEARSAL, SHOW

__all__ = ["Row", "hold", "table"]

# What a mean, a share or a quantile of rates may be off by: Prometheus takes each series to the
# window's edges by itself.
BLUR = 0.2
# Of floating point.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Row:
    """One line of the table: a series, or all of a panel that are 0."""

    where: str
    shown: str
    counted: str
    expected: str
    # What is wrong; empty where nothing is.
    complaint: str = ""


class Judge:
    """Asks Prometheus what panels ask, and compares."""

    def __init__(self, prometheus: Prometheus, facts: Facts, at: float) -> None:
        """Take whom to ask, what to expect and when everything was over."""
        self._prometheus = prometheus
        self._facts = facts
        self._at = at
        self._variables: dict[str, Variables] = {
            found["uid"]: variables(found, prometheus.label_values) for found in dashboards()
        }

    def judge(self, target: Target, expected: Expected) -> list[Row]:
        """Compare what a query gives with what it should, series by series."""
        chosen, window = self._variables[target.dashboard], self._facts.window
        shown = self._ask(target, target.asked(window, chosen))
        change = target.counted(window, chosen)
        counted = None if change is None else self._ask(target, change)
        where = f"{target.dashboard.removeprefix('carillon-')} / {target.name}"
        if isinstance(expected, Unseen):
            complaint = "it has a value" if shown else ""
            return [Row(where, "-", "", f"no data: {expected.because}", complaint)]
        if not shown:
            complaint = "" if isinstance(expected, Band) and expected.may_lack else "it is empty"
            return [Row(where, "no data", "", _words(expected, ""), complaint)]
        measured = shown if counted is None else counted
        names = sorted(expected.names() | measured.keys() | shown.keys())
        rows = [
            self._compare(target, name, expected, measured, shown)
            for name in names
            if shown.get(name) or measured.get(name) or expected.bounds(name)[0]
        ]
        if "instance" in target.labels:
            # Whoever else is there has no place in it, even with 0.
            others = shown.keys() - expected.names()
            rows += [Row(name, "0", "", "no such line", "it is there") for name in sorted(others)]
        rows = [replace(row, where=f"{where}: {row.where}" if row.where else where) for row in rows]
        return rows or [Row(where, "0", "" if counted is None else "0", _words(expected, ""))]

    def _compare(
        self,
        target: Target,
        name: str,
        expected: Count | Band,
        measured: Mapping[str, float],
        shown: Mapping[str, float],
    ) -> Row:
        low, high = expected.bounds(name)
        value, seen = measured.get(name), shown.get(name)
        complaints = []
        if value is None and low > 0:
            complaints.append("it is not there")
        if not low * (1 - ROUNDING) <= (value or 0) <= high * (1 + ROUNDING):
            complaints.append(f"{value or 0:g} is not {low:g} to {high:g}")
        if measured is not shown and (seen is not None or low > 0):
            least, most = _blurred(low, high, self._facts.window if target.is_rate else 0)
            if not least <= (seen or 0) <= most:
                complaints.append(f"it shows {seen or 0:g}, not {least:g} to {most:g}")
        return Row(
            name,
            "-" if seen is None else _written(seen, target.unit),
            "" if measured is shown else _written(value or 0, ""),
            _words(expected, name),
            "; ".join(complaints),
        )

    def _ask(self, target: Target, query: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for series in self._prometheus.query(query, self._at):
            found[self._name(target, series)] = series.value
        return found

    def _name(self, target: Target, series: Series) -> str:
        # A table's rows have no legend.
        labels = target.labels or [label for label in ("service",) if label in series.labels]
        values = [series.labels[label] for label in labels]
        return " ".join(self._facts.instances.get(value, value) for value in values)


def _blurred(low: float, high: float, window: int) -> tuple[float, float]:
    """Return what may be shown; of a rate Prometheus divides by the time between two scrapes."""
    if not window:
        return low * (1 - BLUR), high * (1 + BLUR)
    least, most = window, window - 2 * SCRAPE_SECONDS
    return low / least * (1 - ROUNDING), high / most * (1 + ROUNDING)


UNITS = {
    "short": "",
    "percentunit": " of 1",
    "s": " s",
    "bytes": " B",
    "Bps": " B/s",
    "bool_yes_no": "",
}


def _written(value: float, unit: str) -> str:
    is_plain = math.isfinite(value) and (value >= 1000 or value == int(value))
    number = f"{value:,.0f}" if is_plain else f"{value:.4g}"
    return number + UNITS.get(unit, "/s" if unit else "")


def _words(expected: Count | Band, name: str) -> str:
    low, high = expected.bounds(name)
    if isinstance(expected, Count):
        return _written(low, "")
    most = "any" if math.isinf(high) else _written(high, "")
    return f"{_written(low, '')} to {most}: {expected.because}"


# The run


async def hold(stack: RunningStack, say: Callable[[str], None] = print) -> list[Row]:
    """Drive the load and judge every panel; return their lines, and those of a drain."""
    people = await asyncio.to_thread(People, stack)
    rehearsal, load = await asyncio.to_thread(people.loads, REHEARSAL, SHOW)
    async with watched(stack) as prometheus:
        async with rehearsal:
            await rehearsal.run()
        async with load:
            # Whatever came before is over, and was scraped.
            began = await _settle(prometheus)
            await load.run()
            say(f"The load took {time.time() - began:.1f} s.")
            at = await _settle(prometheus)
            facts = Facts(load.counted, rehearsal.counted, _window(began, at), _instances(stack))
            rows = _all_panels(prometheus, facts, at)
            rows += await _drain(stack, prometheus, load, facts)
    return rows


def _window(began: float, at: float) -> int:
    """Return the seconds, and a scrape more at each end: the first sample is from before."""
    return math.ceil(at - began) + 2 * SCRAPE_SECONDS


def _instances(stack: RunningStack) -> dict[str, str]:
    return {_instance(stack, number): f"gateway {number}" for number in stack.gateways}


def _instance(stack: RunningStack, gateway: int) -> str:
    return stack.internal_url(f"gateway-{gateway}").removeprefix("http://")


async def _settle(prometheus: Prometheus) -> float:
    """Wait until jobs were counted and bells ring everywhere; return when all of it was scraped."""
    sweeps = 'sum(carillon_task_runs_total{task="worker.sweep_jobs"})'
    await prometheus.rest()
    before = prometheus.value(sweeps) or 0
    await prometheus.until(sweeps, lambda count: count > before)
    await prometheus.until("min(carillon_gateway_broker_connected)", lambda least: least == 1)
    for _ in range(2):
        await prometheus.rest()
    return await prometheus.rest()


def _all_panels(prometheus: Prometheus, facts: Facts, at: float) -> list[Row]:
    judge, rows = Judge(prometheus, facts, at), []
    for target in targets():
        rule = EXPECTED.get((target.dashboard, target.name))
        if rule is None:
            where = f"{target.dashboard} / {target.name}"
            rows.append(Row(where, "", "", "", "nobody has said what it must show"))
        else:
            rows += judge.judge(target, rule(facts))
    return rows


async def _drain(
    stack: RunningStack, prometheus: Prometheus, load: Load, facts: Facts
) -> list[Row]:
    """Drain the second gateway; judge the panels that must tell of it."""
    await load.thin_out()
    began = await _settle(prometheus)
    crowd = len(load.crowd[2])
    by_name = {t.name: t for t in targets() if t.dashboard == "carillon-gateway"}
    rows: list[Row] = []
    async with load.draining(2, refuge=1):
        await prometheus.until("max(carillon_gateway_draining)", lambda most: most == 1)
        at = time.time()
        judge = Judge(prometheus, replace(facts, window=_window(began, at)), at)
        rows += judge.judge(by_name["Draining"], Count({"": 1}))
        rows.append(_mark(stack, prometheus, at))
    gone = f'1 - up{{instance="{_instance(stack, 2)}"}}'
    await prometheus.until(gone, lambda down: down == 1)
    for _ in range(2):
        at = await prometheus.rest(without=_instance(stack, 2))
    judge = Judge(prometheus, replace(facts, window=_window(began, at)), at)
    there = sum(map(len, load.crowd.values()))
    expected: dict[str, Expected] = {
        "Draining": Count({}),
        "Connections": Count({"": there}),
        "Connections by gateway": Count({"gateway 1": there}),
        "Opened and closed: opened": Count({"": crowd}),
        "Clients that came back": Count({"empty": crowd}),
        "Rollout": Count({OURS: 1}),
    }
    for name, each in expected.items():
        rows += judge.judge(by_name[name], each)
    return [replace(row, where=f"drain: {row.where}") for row in rows]


def _mark(stack: RunningStack, prometheus: Prometheus, at: float) -> Row:
    """Judge the mark that a drain leaves in every panel."""
    marks = {each["name"]: each for each in dashboards()[0]["annotations"]["list"]}
    found = prometheus.query(filled(marks["Drains"]["expr"], 1, {"namespace": ".*"}), at)
    names = [series.labels["instance"] for series in found]
    right = names == [_instance(stack, 2)]
    where, complaint = "all dashboards / the mark of drains", "" if right else f"it marks {names}"
    return Row(where, "gateway 2" if right else "", "", "gateway 2", complaint)


# The table


def table(rows: list[Row]) -> str:
    """Write what each panel shows beside what the load has counted."""
    head = Row("dashboard / panel: series", "shows", "in the run", "the load counted")
    lines = []
    before = ""
    for row in (head, *rows):
        verdict = "" if row is head else ("WRONG" if row.complaint else "ok")
        # Why a band is as it is, once for all series of a panel.
        expected = row.expected.split(":")[0] if row.expected == before else row.expected
        before = row.expected
        cells = f"{verdict:5} {row.where:72.72} {row.shown:>13} {row.counted:>9}  {expected}"
        lines.append(cells.rstrip())
        if row.complaint:
            lines.append(f"      {row.complaint}")
    wrong = sum(bool(row.complaint) for row in rows)
    lines.append(f"{len(targets())} queries, {len(rows)} lines, {wrong} wrong.")
    return "\n".join(lines)
