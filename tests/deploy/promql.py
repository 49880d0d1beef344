"""
What PromQL expressions ask for, held against what there is to ask.

Rules, dashboards and autoscalers name metrics and labels as text. `problems` reads an expression as
Prometheus does and follows the labels through it: a name that no process of ours exposes, a label
that an aggregation has taken away or a value that no series has would be a panel without data, and
an alert that never fires.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from services.gateway.closecodes import COUNTED_CODES
from shared.bulk.states import JobState
from shared.telemetry import metrics

__all__ = [
    "RULES",
    "TARGET",
    "THIRD_PARTY",
    "catalogue",
    "known",
    "metrics_of",
    "problems",
    "recorded",
    "without_variables",
]

RULES = Path(__file__).resolve().parents[2] / "deploy/k8s/chart/rules/carillon.yaml"

# What Prometheus puts on every series; those after `instance` are there in Kubernetes alone. Not
# `service`, which a ServiceMonitor adds unless it is told not to: that one is our own.
TARGET = frozenset({"job", "instance", "namespace", "pod", "container", "endpoint"})

_QUEUE = frozenset({"vhost", "queue"})
_NONE: frozenset[str] = frozenset()

# Metrics of others and their own labels, as scraped from the versions that docs/metrics.md names.
THIRD_PARTY: dict[str, frozenset[str]] = {
    "up": _NONE,
    # RabbitMQ's own, at /metrics.
    "rabbitmq_alarms_file_descriptor_limit": _NONE,
    "rabbitmq_alarms_free_disk_space_watermark": _NONE,
    "rabbitmq_alarms_memory_used_watermark": _NONE,
    "rabbitmq_connections": _NONE,
    "rabbitmq_disk_space_available_bytes": _NONE,
    "rabbitmq_process_resident_memory_bytes": _NONE,
    "rabbitmq_resident_memory_limit_bytes": _NONE,
    # The same at /metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count.
    "rabbitmq_detailed_queue_consumers": _QUEUE,
    "rabbitmq_detailed_queue_messages": _QUEUE,
    "rabbitmq_detailed_queue_messages_ready": _QUEUE,
    "rabbitmq_detailed_queue_messages_unacked": _QUEUE,
    # The same at /metrics/per-object; at /metrics the sum of all queues, without labels.
    "rabbitmq_queue_messages": _QUEUE,
    "rabbitmq_queue_messages_ready": _QUEUE,
    # Prometheus' exporters of PostgreSQL and nginx.
    "pg_stat_activity_count": frozenset({"datname", "state", "usename"}),
    "nginx_connections_active": _NONE,
    # prometheus-client, in a gateway, which is one process.
    "process_cpu_seconds_total": _NONE,
    "process_max_fds": _NONE,
    "process_open_fds": _NONE,
    "process_resident_memory_bytes": _NONE,
    "process_start_time_seconds": _NONE,
    "python_gc_collections_total": frozenset({"generation"}),
    "python_info": frozenset({"implementation", "major", "minor", "patchlevel", "version"}),
}

# Labels whose values are a closed set that is complete once a service has started.
_CLOSED = {"cause", "reason", "result", "state", "transport"}
_COUNTED = re.compile(r"_(total|bucket|sum|count)$")
_RATES = {"rate", "irate", "increase", "resets"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


@cache
def catalogue() -> dict[str, frozenset[str]]:
    """Return our series' names, with the labels that the code gives each."""
    found: dict[str, frozenset[str]] = {}
    for metric in vars(metrics).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        labels = frozenset(metric._labelnames)
        match metric._type:
            case "histogram":
                found[f"{metric._name}_bucket"] = labels | {"le"}
                found |= {f"{metric._name}_{part}": labels for part in ("sum", "count")}
            case "counter":
                found[f"{metric._name}_total"] = labels
            case _:
                found[metric._name] = labels
    return found


@cache
def recorded() -> dict[str, frozenset[str]]:
    """Return the series that the recording rules make, with the labels that they leave."""
    return {
        rule["record"]: frozenset(_Reading(rule["expr"], raw_series()).labels)
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }


def raw_series() -> dict[str, frozenset[str]]:
    """Return all that is scraped: ours and others'."""
    return catalogue() | THIRD_PARTY


@cache
def known() -> dict[str, frozenset[str]]:
    """Return every series that an expression may ask for, with its own labels."""
    return (
        raw_series() | recorded() | {"ALERTS": frozenset({"alertname", "alertstate", "severity"})}
    )


def without_variables(expression: str) -> str:
    """Put something in place of Grafana's variables, so that the rest can be read."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return "5m" if name.startswith("__") or name == "interval" else "x"

    return _VARIABLE.sub(value, expression)


def metrics_of(expression: str) -> set[str]:
    """Return the names that an expression asks for."""
    return _Reading(without_variables(expression), known()).names


def problems(expression: str) -> list[str]:
    """
    Return what is wrong with an expression, a sentence each; nothing where all it names is there.

    Args:
        expression: PromQL, where Grafana's variables may stand.
    """
    try:
        return _Reading(without_variables(expression), known()).problems
    except ValueError as error:
        return [f"It cannot be read: {error}"]


class _Reading:
    """One expression, read once."""

    def __init__(self, expression: str, series: Mapping[str, frozenset[str]]) -> None:
        """
        Raises:
            ValueError: this is no PromQL.
        """
        self._series = series
        self.names: set[str] = set()
        self.problems: list[str] = []
        # What the result may have, of our own labels and of those of the target.
        self.labels = self._read(promql.parse(expression))

    def _read(self, node: Any) -> frozenset[str]:
        match node:
            case promql.VectorSelector():
                return self._select(node)
            case promql.MatrixSelector():
                return self._select(node.vector_selector)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                return self._read(node.expr)
            case promql.AggregateExpr():
                return self._aggregate(node)
            case promql.BinaryExpr():
                return self._join(node)
            case promql.Call():
                return self._call(node)
            case _:
                return _NONE

    def _select(self, node: promql.VectorSelector) -> frozenset[str]:
        matchers = list(node.matchers.matchers)
        if node.name is None or any(matcher.name == "__name__" for matcher in matchers):
            self.problems.append("A metric is not named: write its name before the braces.")
            return TARGET
        self.names.add(node.name)
        if node.name not in self._series:
            self.problems.append(f"There is no metric {node.name}.")
            return TARGET
        labels = self._series[node.name] | TARGET
        for matcher in matchers:
            self._must_have(matcher.name, labels, node.name)
            self._must_exist(node.name, matcher)
        return labels

    def _must_have(self, label: str, labels: frozenset[str], where: str) -> None:
        if label not in labels:
            self.problems.append(f"{where} has no label {label}.")

    def _must_exist(self, name: str, matcher: promql.Matcher) -> None:
        values = _values(name, matcher.name)
        if matcher.name not in _CLOSED or not values:
            return
        equal = matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual)
        pattern = re.escape(matcher.value) if equal else matcher.value
        if not any(re.fullmatch(pattern, value) for value in values):
            self.problems.append(f"{name} has no {matcher.name} {matcher.value!r}.")

    def _aggregate(self, node: promql.AggregateExpr) -> frozenset[str]:
        labels = self._read(node.expr)
        if str(node.op) in ("topk", "bottomk"):
            return labels
        if str(node.op) == "count_values":
            return _NONE | {node.param.val}
        if node.modifier is None:
            return _NONE
        named = frozenset(node.modifier.labels)
        for label in sorted(named):
            self._must_have(label, labels, f"What is aggregated by {node.op}")
        is_by = node.modifier.type == promql.AggModifierType.By
        return named if is_by else labels - named

    def _join(self, node: promql.BinaryExpr) -> frozenset[str]:
        left, right = self._read(node.lhs), self._read(node.rhs)
        if node.modifier is not None and node.modifier.matching is not None:
            for label in node.modifier.matching.labels:
                self._must_have(label, left, f"The left side of {node.op}")
                self._must_have(label, right, f"The right side of {node.op}")
            for label in node.modifier.group_labels or ():
                self._must_have(label, left | right, f"What is joined by {node.op}")
        return left | right

    def _call(self, node: promql.Call) -> frozenset[str]:
        name, labels = node.func.name, _NONE
        for argument in node.args:
            labels |= self._read(argument)
        match name:
            case "histogram_quantile":
                self._must_have("le", labels, "What histogram_quantile is given")
                return labels - {"le"}
            case "label_replace" | "label_join":
                return labels | {node.args[1].val}
            case _ if name in _RATES:
                for asked in _names_in(node):
                    if asked in catalogue() and not _COUNTED.search(asked):
                        self.problems.append(f"{asked} is a gauge, and has no {name}.")
        return labels


def _names_in(node: promql.Call) -> Iterator[str]:
    for argument in node.args:
        if isinstance(argument, promql.MatrixSelector) and argument.vector_selector.name:
            yield argument.vector_selector.name


@cache
def _started() -> dict[tuple[str, str], set[str]]:
    """Return the values that labels have once all services have started."""
    metrics.start_common_at_zero("web", ["chat"])
    metrics.start_gateway_at_zero(["chat"], sorted(COUNTED_CODES))
    metrics.start_web_at_zero(["messages"])
    metrics.start_worker_at_zero(["default"], [s.value for s in JobState if not s.is_final], ["x"])
    found: dict[tuple[str, str], set[str]] = {}
    for family in REGISTRY.collect():
        for sample in family.samples:
            for label, value in sample.labels.items():
                found.setdefault((sample.name, label), set()).add(value)
    return found


def _values(name: str, label: str) -> set[str]:
    return _started().get((name, label), set())
