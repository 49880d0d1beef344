"""
Celery's entry point: `celery -A services.worker.celery:app worker` and `... beat`.

Besides the app it starts, for each of the two, the exporter of the internal port: a process of
its own, because a thread would not survive Celery's forks.
"""

from __future__ import annotations

import time
from typing import Any

from shared.settings import production

production.set_up("services.worker.settings")

from celery import signals
from celery.exceptions import TimeLimitExceeded

from shared.broker import bell
from shared.broker.topology import TASK_QUEUES, declare_dead_letters
from shared.bulk import outbox
from shared.bulk.states import JobState
from shared.celery import SENT_AT, app, queue_of
from shared.realtime import namespaces
from shared.telemetry import build, exporter, metrics

__all__ = ["app"]

app.loader.import_default_modules()

from services.worker.schedule import BEAT_SCHEDULE
from services.worker.tasks import NAMES

app.conf.beat_schedule = BEAT_SCHEDULE
app.conf.beat_scheduler = "services.worker.scheduler:PatientScheduler"

_started: dict[str, float] = {}
# The task that was killed for its time last.
_killed = ""


@signals.celeryd_init.connect
def _worker_starts(**_: Any) -> None:
    exporter.spawn("--tasks")
    build.announce("worker")
    metrics.start_common_at_zero("worker", namespaces.names())
    metrics.start_worker_at_zero(
        [queue.routing_key for queue in TASK_QUEUES],
        [state.value for state in JobState if not state.is_final],
        [*NAMES.values(), outbox.DRAIN],
    )


@signals.worker_ready.connect
def _worker_consumes(**_: Any) -> None:
    with app.connection_for_write() as connection:
        declare_dead_letters(connection)
    metrics.WORKER_PROBE.set_to_current_time()


@signals.beat_init.connect
def _beat_starts(**_: Any) -> None:
    exporter.spawn()
    build.announce("beat")
    metrics.start_common_at_zero("beat", [])


@signals.setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Connected so that Celery leaves logging as Django's settings have configured it."""


@signals.task_prerun.connect
def _begin(task_id: str, task: Any, **_: Any) -> None:
    _started[task_id] = time.monotonic()
    queue = _queue(task)
    metrics.TASKS_IN_PROGRESS.labels(queue=queue).inc()
    # Any task shows what the probe shows; a busy worker takes that one late.
    metrics.WORKER_PROBE.set_to_current_time()
    if (sent := task.request.get(SENT_AT)) is not None:
        metrics.TASK_QUEUE_WAIT.labels(queue=queue).observe(max(0.0, time.time() - sent))


@signals.task_postrun.connect
def _finish(task_id: str, task: Any, state: str | None, **_: Any) -> None:
    metrics.TASKS_IN_PROGRESS.labels(queue=_queue(task)).dec()
    metrics.TASK_RUNS.labels(task=task.name, state=(state or "unknown").lower()).inc()
    if (started := _started.pop(task_id, None)) is not None:
        metrics.TASK_DURATION.labels(task=task.name).observe(time.monotonic() - started)


@signals.task_failure.connect
def _time_out(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
    # The child that ran it was killed and could not count it. Other failures are its own to count.
    # Celery 5.7 tells twice in a row: of a failure, and of a time limit.
    global _killed
    if isinstance(exception, TimeLimitExceeded) and task_id != _killed:
        _killed = task_id
        metrics.TASK_RUNS.labels(task=sender.name, state="timeout").inc()


def _queue(task: Any) -> str:
    return queue_of((task.request.delivery_info or {}).get("routing_key"))


@signals.worker_process_shutdown.connect
def _end_child(pid: int, **_: Any) -> None:
    # Celery's children end by os._exit, which runs no handlers of Python's own.
    bell.flush()
    exporter.forget_process(pid)
