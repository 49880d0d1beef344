"""What the internal port of a forking service tells."""

from __future__ import annotations

from pathlib import Path

from tests.processes import ENVIRONMENT, python

# A child of a prefork worker, killed in the middle of a task.
KILLED = """
import os, signal
from shared.telemetry import exporter, metrics
if (child := os.fork()) == 0:
    metrics.TASKS_IN_PROGRESS.labels(queue="bulk").inc()
    metrics.FANOUT_RECIPIENTS.labels(result="delivered").inc(7)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
metrics.TASKS_IN_PROGRESS.labels(queue="bulk").inc()
value = exporter._registry().get_sample_value
print(value("carillon_tasks_in_progress", {"queue": "bulk"}))
print(value("carillon_fanout_recipients_total", {"result": "delivered"}))
"""

ZEROS = """
from prometheus_client import REGISTRY
from shared.telemetry import metrics
metrics.start_worker_at_zero(["default", "bulk"], ["running"])
print(REGISTRY.get_sample_value("carillon_tasks_in_progress", {"queue": "bulk"}))
print(REGISTRY.get_sample_value("carillon_task_queue_wait_seconds_count", {"queue": "bulk"}))
print(REGISTRY.get_sample_value("carillon_fanout_jobs", {"state": "running"}))
print(REGISTRY.get_sample_value("carillon_fanout_recipients_total", {"result": "gone"}))
"""


def test_killed_process(tmp_path: Path) -> None:
    """Its tasks are no longer in progress; what it has counted stays counted."""
    environment = ENVIRONMENT | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    ended = python("-c", KILLED, environment=environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["1.0", "7.0"]


def test_series_start_at_zero() -> None:
    """Rates see a series' first event, because it was there before."""
    ended = python("-c", ZEROS)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["0.0"] * 4
