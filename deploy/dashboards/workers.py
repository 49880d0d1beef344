"""Workers: what is to be done, how quickly it gets done, and what went wrong."""

from deploy.dashboards import common
from deploy.dashboards.panels import Dashboard, Kind, Panel, Query, Row, Step, Unit
from deploy.dashboards.queries import quantile, rate, ratio, series, total

__all__ = ["DASHBOARD"]

PENDING = f"max({series('carillon_fanout_recipients_pending')})"

JOBS = Row(
    "Bulk jobs",
    (
        Panel(
            title="Recipients to go",
            description="Recipients of jobs under way who have not been told yet.",
            unit=Unit.COUNT,
            queries=[Query(PENDING)],
            kind=Kind.NUMBER,
            width=6,
            height=4,
        ),
        Panel(
            title="Time to go",
            description="Recipients to go divided by how many are told in a second: no value "
            "while nobody is.",
            unit=Unit.SECONDS,
            queries=[Query(f"{PENDING} / ({rate('carillon_fanout_recipients_total')} > 0)")],
            kind=Kind.NUMBER,
            width=6,
            height=4,
        ),
        Panel(
            title="Jobs that stand still",
            description="Jobs with work to do that have not moved for 15 s.",
            unit=Unit.COUNT,
            queries=[Query(f"max({series('carillon_jobs_stale')})")],
            kind=Kind.NUMBER,
            width=6,
            height=4,
            steps=(Step(1, "red"),),
        ),
        Panel(
            title="Standing still the longest",
            description="For how long the stalest job has not moved.",
            unit=Unit.SECONDS,
            queries=[Query(f"max({series('carillon_job_oldest_stale_age_seconds')})")],
            kind=Kind.NUMBER,
            width=6,
            height=4,
            steps=(Step(60, "orange"), Step(600, "red")),
        ),
        Panel(
            title="Jobs",
            description="Jobs that have not ended, by state.",
            unit=Unit.COUNT,
            queries=[Query(common.NEWEST_JOBS, "{{state}}")],
        ),
        Panel(
            title="Recipients",
            description="Recipients of delivered chunks by what became of them.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_fanout_recipients_total", "result"), "{{result}}")],
            is_stacked=True,
        ),
        Panel(
            title="Time of a chunk",
            description="From claiming a chunk, of a thousand recipients at most, to its commit.",
            unit=Unit.SECONDS,
            queries=[
                Query(quantile(share, "carillon_fanout_chunk_duration_seconds"), f"{share:.0%}")
                for share in (0.5, 0.95)
            ],
            steps=(Step(5, "orange"), Step(10, "red")),
        ),
        Panel(
            title="Time of a job",
            description="From a job's start to its end, pauses included, 95 of 100.",
            unit=Unit.SECONDS,
            queries=[Query(quantile(0.95, "carillon_fanout_job_duration_seconds"), "95%")],
        ),
        Panel(
            title="Chunks that were given up",
            description="Chunks that raised five times. They wait for somebody to retry the job.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_fanout_chunks_parked_total"), "parked")],
            steps=(Step(0.01, "red"),),
        ),
        Panel(
            title="Jobs that were handed over again",
            description="Stale jobs that beat's round has sent to the workers once more.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_jobs_reenqueued_total"), "again")],
        ),
    ),
)

TASKS = Row(
    "Tasks",
    (
        Panel(
            title="Tasks that failed",
            description="Share of finished tasks that raised or were killed for their time.",
            unit=Unit.SHARE,
            queries=[
                Query(
                    ratio(
                        rate("carillon_task_runs_total", matchers='state!="success"'),
                        rate("carillon_task_runs_total"),
                    )
                )
            ],
            kind=Kind.NUMBER,
            width=6,
            steps=(Step(0.01, "orange"), Step(0.05, "red")),
            most=1,
        ),
        Panel(
            title="Since a worker took a task",
            description="The probe task comes twice a minute: much longer, and worker, beat or "
            "RabbitMQ is not there.",
            unit=Unit.SECONDS,
            queries=[
                Query(
                    "time() - max by (job) "
                    f"({series('carillon_worker_probe_timestamp_seconds')} > 0)",
                    "{{job}}",
                )
            ],
            width=6,
            steps=(Step(60, "orange"), Step(90, "red")),
        ),
        common.queues(width=6),
        Panel(
            title="Dead letters",
            description="Tasks that were tried ten times. Nobody takes them from there but you.",
            unit=Unit.COUNT,
            queries=[Query(common.depth("queue_messages", 'queue="carillon.dead_letters"'))],
            kind=Kind.NUMBER,
            width=6,
            steps=(Step(1, "red"),),
        ),
        Panel(
            title="Finished tasks",
            description="By task and how they ended.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[
                Query(
                    rate("carillon_task_runs_total", "task, state") + " > 0", "{{task}} {{state}}"
                )
            ],
            is_stacked=True,
        ),
        Panel(
            title="Time of tasks",
            description="How long tasks ran, 95 of 100. At 60 s they are killed.",
            unit=Unit.SECONDS,
            queries=[Query(quantile(0.95, "carillon_task_duration_seconds", "task"), "{{task}}")],
            steps=(Step(30, "orange"), Step(60, "red")),
        ),
        Panel(
            title="Wait in the queue",
            description="From sending a task to its start, 95 of 100, by the clocks of two "
            "machines.",
            unit=Unit.SECONDS,
            queries=[
                Query(quantile(0.95, "carillon_task_queue_wait_seconds", "queue"), "{{queue}}")
            ],
            steps=(Step(10, "orange"), Step(60, "red")),
        ),
        Panel(
            title="Tasks in progress",
            description="Tasks that run now, by queue.",
            unit=Unit.COUNT,
            queries=[Query(total("carillon_tasks_in_progress", "queue"), "{{queue}}")],
        ),
        Panel(
            title="Notifications",
            description="Recipients of notifications by what became of them.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_notifications_created_total", "result"), "{{result}}")],
        ),
        Panel(
            title="Trimmed from the log",
            description="Publications that retention has removed, by namespace.",
            unit=Unit.MESSAGES_PER_SECOND,
            queries=[Query(rate("carillon_streams_trimmed_total", "kind"), "{{kind}}")],
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="carillon-workers",
    title="Carillon / Workers",
    description="What is to be done, how quickly does it get done, and what went wrong?",
    rows=(JOBS, TASKS, common.shared_row()),
    services=common.WORKERS,
    others={"rabbitmq": common.EXPORTERS["rabbitmq"]},
)
