"""Metrics of workers, and of the bulk jobs that they do."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "FANOUT_CHUNKS_PARKED",
    "FANOUT_CHUNK_DURATION",
    "FANOUT_JOBS",
    "FANOUT_JOB_DURATION",
    "FANOUT_RECIPIENTS",
    "FANOUT_RECIPIENTS_PENDING",
    "JOBS_REENQUEUED",
    "JOBS_STALE",
    "JOB_OLDEST_STALE_AGE",
    "STREAMS_TRIMMED",
    "TASKS_IN_PROGRESS",
    "TASK_DURATION",
    "TASK_QUEUE_WAIT",
    "TASK_RUNS",
    "WORKER_PROBE",
    "start_worker_at_zero",
]

WORKER_PROBE = Gauge(
    "carillon_worker_probe_timestamp_seconds",
    "When a worker last took a task from the broker: the probe task, twice a minute, at least.",
    multiprocess_mode="max",
)
TASK_RUNS = Counter("carillon_task_runs_total", "Finished tasks.", ["task", "state"])
TASK_DURATION = Histogram("carillon_task_duration_seconds", "Time a task ran.", ["task"])
TASK_QUEUE_WAIT = Histogram(
    "carillon_task_queue_wait_seconds",
    "From sending a task to its start, by the clocks of two machines.",
    ["queue"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
TASKS_IN_PROGRESS = Gauge(
    "carillon_tasks_in_progress", "Tasks running.", ["queue"], multiprocess_mode="livesum"
)
STREAMS_TRIMMED = Counter(
    "carillon_streams_trimmed_total", "Publications removed by retention.", ["kind"]
)

# -- bulk jobs --

# Counted by whichever worker process sweeps: the newest value is the true one, a maximum over
# processes would keep what another saw long ago.
FANOUT_JOBS = Gauge(
    "carillon_fanout_jobs",
    "Jobs that have not ended.",
    ["state"],
    multiprocess_mode="mostrecent",
)
FANOUT_RECIPIENTS = Counter(
    "carillon_fanout_recipients_total",
    "Recipients of delivered chunks by what became of them.",
    ["result"],
)
FANOUT_RECIPIENTS_PENDING = Gauge(
    "carillon_fanout_recipients_pending",
    "Recipients of jobs under way who have not been told yet.",
    multiprocess_mode="mostrecent",
)
FANOUT_CHUNK_DURATION = Histogram(
    "carillon_fanout_chunk_duration_seconds", "From claiming a chunk to its commit."
)
FANOUT_CHUNKS_PARKED = Counter(
    "carillon_fanout_chunks_parked_total", "Chunks given up after five errors, until a retry."
)
FANOUT_JOB_DURATION = Histogram(
    "carillon_fanout_job_duration_seconds",
    "From a job's start to its end, pauses included.",
    buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400),
)
JOBS_STALE = Gauge(
    "carillon_jobs_stale",
    "Jobs with work to do that have not moved for 15 s.",
    multiprocess_mode="mostrecent",
)
JOB_OLDEST_STALE_AGE = Gauge(
    "carillon_job_oldest_stale_age_seconds",
    "Since when the stalest job has not moved.",
    multiprocess_mode="mostrecent",
)
JOBS_REENQUEUED = Counter(
    "carillon_jobs_reenqueued_total", "Stale jobs that were handed to the workers again."
)


def start_worker_at_zero(
    queues: Sequence[str], states: Sequence[str], tasks: Sequence[str] = ()
) -> None:
    """
    Make a worker's labelled series exist before their first event, so that rates see it.

    Args:
        queues: those that workers consume.
        states: of jobs that have not ended.
        tasks: the names of all tasks.
    """
    for queue in queues:
        TASKS_IN_PROGRESS.labels(queue=queue)
        TASK_QUEUE_WAIT.labels(queue=queue)
    for task in tasks:
        TASK_DURATION.labels(task=task)
        for ended in ("success", "failure", "timeout"):
            TASK_RUNS.labels(task=task, state=ended)
    for state in states:
        FANOUT_JOBS.labels(state=state)
    for result in ("delivered", "muted", "gone", "failed"):
        FANOUT_RECIPIENTS.labels(result=result)
