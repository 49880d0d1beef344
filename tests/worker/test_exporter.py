"""What the internal port of a forking service tells."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.processes import ENVIRONMENT, ROOT, python

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
metrics.start_worker_at_zero(["default", "bulk"], ["running"], ["worker.probe"])
metrics.start_common_at_zero("worker", ["chat"])
failed = {"task": "worker.probe", "state": "failure"}
print(REGISTRY.get_sample_value("carillon_task_runs_total", failed))
unsent = {"service": "worker", "reason": "nacked"}
print(REGISTRY.get_sample_value("carillon_broker_publish_errors_total", unsent))
published = {"kind": "chat", "result": "committed"}
print(REGISTRY.get_sample_value("carillon_publishes_total", published))
print(REGISTRY.get_sample_value("carillon_tasks_in_progress", {"queue": "bulk"}))
print(REGISTRY.get_sample_value("carillon_task_queue_wait_seconds_count", {"queue": "bulk"}))
print(REGISTRY.get_sample_value("carillon_fanout_jobs", {"state": "running"}))
print(REGISTRY.get_sample_value("carillon_fanout_recipients_total", {"result": "gone"}))
"""


@pytest.mark.thorough
def test_killed_process(tmp_path: Path) -> None:
    """Its tasks are no longer in progress; what it has counted stays counted."""
    environment = ENVIRONMENT | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    ended = python("-c", KILLED, environment=environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["1.0", "7.0"]


@pytest.mark.thorough
def test_series_start_at_zero() -> None:
    """Rates see a series' first event, because it was there before."""
    ended = python("-c", ZEROS)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["0.0"] * 7


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The exporter of this process, whose database refuses connections, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = ENVIRONMENT | {
        "CARILLON_INTERNAL_PORT": str(port),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-m", "shared.telemetry.exporter", str(os.getpid()), "--tasks"]
    with subprocess.Popen(command, env=environment, cwd=ROOT) as process:
        yield process, f"http://127.0.0.1:{port}"
        process.terminate()


def test_small_process(exporter: tuple[subprocess.Popen[bytes], str]) -> None:
    """It is alive, says what is away, and takes little of the worker's memory: no Django."""
    process, url = exporter
    deadline = time.monotonic() + 20
    while True:
        assert time.monotonic() < deadline, "it answers"
        try:
            answer = httpx.get(f"{url}/readyz")
        except httpx.TransportError:
            assert process.poll() is None, "it runs"
            time.sleep(0.05)
            continue
        if "not asked yet" not in answer.text:
            break
    assert answer.status_code == 503
    database, tasks = answer.text.splitlines()
    assert "Connection refused" in database
    assert tasks == "tasks: takes none yet"
    assert httpx.get(f"{url}/livez").status_code == 200
    (resident,) = (
        int(line.split()[1])
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )
    assert resident < 55_000
