"""Prometheus as a plain process beside a stack, which scrapes all of its services."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.stack.credentials import write_private
from deploy.stack.errors import MissingProgram
from deploy.stack.layout import Layout
from deploy.stack.probes import answers
from deploy.stack.programs import PROMETHEUS, find
from deploy.stack.service import Service

__all__ = ["port", "prometheus", "targets"]

RULES = Path("deploy/k8s/chart/rules")


def port(layout: Layout) -> int:
    """Return where it listens: the next one after those of the other servers."""
    return layout.base + 7


def targets(layout: Layout, gateways: Sequence[int]) -> dict[str, list[str]]:
    """Say who is scraped, by job; the names are those of the Compose file and of the chart."""
    ports = {
        "carillon-gateway": [layout.gateway_internal(number) for number in gateways],
        "carillon-web": [layout.web_internal],
        "carillon-worker": [layout.worker_internal],
        "carillon-bulk": [layout.bulk_internal],
        "carillon-beat": [layout.beat_internal],
        "carillon-rabbitmq": [layout.rabbitmq_metrics],
    }
    return {job: [f"127.0.0.1:{port}" for port in found] for job, found in ports.items()}


def configuration(
    whom: Mapping[str, Sequence[str]], seconds: int, rules: Sequence[Path]
) -> dict[str, Any]:
    """Return its configuration, as JSON, which is YAML, too."""
    jobs = [
        {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
        for job, addresses in whom.items()
    ]
    queues = {
        # How long each queue is, which the other page does not tell. No two can have one name.
        "job_name": "carillon-rabbitmq-queues",
        "metrics_path": "/metrics/detailed",
        "params": {"family": ["queue_coarse_metrics"]},
        "static_configs": [{"targets": list(whom["carillon-rabbitmq"])}],
        "relabel_configs": [{"target_label": "job", "replacement": "carillon-rabbitmq"}],
    }
    return {
        "global": {
            "scrape_interval": f"{seconds}s",
            "scrape_timeout": f"{seconds}s",
            "evaluation_interval": f"{seconds}s",
        },
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [*jobs, queues],
    }


def prometheus(
    layout: Layout,
    env: Mapping[str, str],
    gateways: Sequence[int],
    *,
    seconds: int = 15,
    rules: Sequence[Path] | None = None,
) -> Service:
    """
    Declare it.

    Args:
        layout: where it keeps its files, and who listens where.
        env: what its process is told.
        gateways: the numbers of those that run.
        seconds: how often everybody is scraped, and rules are evaluated.
        rules: files of them; by default Carillon's own.
    """
    program = find("prometheus")
    if program is None:
        raise MissingProgram(list(PROMETHEUS))
    folder = layout.state / "prometheus"
    path = folder / "prometheus.json"
    if rules is None:
        rules = sorted((layout.root / RULES).glob("*.yaml"))
    wanted = configuration(targets(layout, gateways), seconds, rules)
    text = json.dumps(wanted, indent=2) + "\n"
    listen = port(layout)
    return Service(
        name="prometheus",
        command=(
            *(program, f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}"),
            *(f"--web.listen-address=127.0.0.1:{listen}", "--log.level=warn"),
        ),
        env=env,
        ready=answers(listen, "/-/ready"),
        ports={listen: "CARILLON_BASE_PORT"},
        prepare=lambda: write_private(path, text),
        content=text,
        address=f"http://127.0.0.1:{listen}",
    )
